"""CIFAR-10 (Krizhevsky 2009), from its binary version."""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paretoib.data._dataset import Dataset
from paretoib.data._images import Images, check_labels, official_splits
from paretoib.data._source import Source
from paretoib.errors import DataError

SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32  # bytes: a label, then the red, green and blue plane
TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST = "test_batch.bin"

CIFAR10 = Source(
    name="cifar10",
    folder="cifar-10-batches-bin",
    md5={
        "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
        "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
        "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
        "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
        "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
        "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
    },
    downloads=dict.fromkeys(
        (*TRAIN, TEST), ("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530")
    ),
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    train=50_000,
)


def load(*, folder: Path, subset: float, fold: int = 0, split_seed: int) -> Dataset:
    """CIFAR-10: inputs (3, 32, 32) in [0, 1]; see `load_cifar`."""
    return load_cifar(CIFAR10, folder=folder, subset=subset, fold=fold, split_seed=split_seed)


def load_cifar(
    source: Source, *, folder: Path, subset: float, fold: int = 0, split_seed: int
) -> Dataset:
    """A data set in CIFAR-10's binary format, split as in `official_splits`.

    Raises:
        DataError: a file is missing, unreadable, or differs from the published one.
        SpecError: `subset` leaves no training image, or there are not so many folds.
    """

    def read(file: str, count: int) -> NDArray[np.uint8]:
        return source.read(file, folder, partial(parse_records, count=count))

    train = np.concatenate([read(file, source.train // len(TRAIN)) for file in TRAIN])
    test = read(TEST, source.test)
    return official_splits(
        source, _images(train), _images(test), subset=subset, fold=fold, split_seed=split_seed
    )


def parse_records(content: bytes, path: Path, *, count: int) -> NDArray[np.uint8]:
    """The records of a batch, (count, 3073): a label, then an image.

    Raises:
        DataError: the content does not have the length of `count` records, or a label is out of
            range.
    """
    if len(content) != count * RECORD:
        raise DataError(
            f"corrupt or truncated file {path}: should have {count * RECORD} bytes "
            f"({count} records of {RECORD}); found {len(content)}"
        )
    records = np.frombuffer(content, np.uint8).reshape(count, RECORD)
    check_labels(records[:, 0], path)
    return records


def _images(records: NDArray[np.uint8]) -> Images:
    return records[:, 1:].reshape(-1, *SHAPE), records[:, 0]
