"""MNIST (LeCun et al. 1998) and Fashion-MNIST (Xiao et al. 2017), from their IDX files."""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paretoib.data._dataset import Dataset
from paretoib.data._images import Images, check_labels, official_splits
from paretoib.data._source import Source
from paretoib.errors import DataError

TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
FILES = (*TRAIN, *TEST)
SIDE = 28


def _source(
    name: str,
    *,
    md5: tuple[str, ...],
    gz_md5: tuple[str, ...],
    mirrors: tuple[str, ...],
    system: Path | None = None,
    package: str = "",
) -> Source:
    """The source of a data set in MNIST's format.

    `md5` holds the checksums of the files, `gz_md5` those of the compressed files.
    """
    return Source(
        name=name,
        folder=name.replace("_", "-"),
        md5=dict(zip(FILES, md5, strict=True)),
        downloads={f: (f"{f}.gz", gz) for f, gz in zip(FILES, gz_md5, strict=True)},
        mirrors=mirrors,
        system=system,
        package=package,
    )


MNIST = _source(
    "mnist",
    md5=(
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
    gz_md5=(
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    # Mirrors are used because the authors' page no longer serves the files to programs.
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)

FASHION_MNIST = _source(
    "fashion_mnist",
    md5=(
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
    gz_md5=(
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    system=Path("/usr/share/datasets/fashion-mnist"),
    package="dataset-fashion-mnist",
)


def load_mnist(*, folder: Path, subset: float, fold: int = 0, split_seed: int) -> Dataset:
    """MNIST: inputs (1, 28, 28) in [0, 1]; see `load_idx`."""
    return load_idx(MNIST, folder=folder, subset=subset, fold=fold, split_seed=split_seed)


def load_fashion_mnist(*, folder: Path, subset: float, fold: int = 0, split_seed: int) -> Dataset:
    """Fashion-MNIST: inputs (1, 28, 28) in [0, 1]; see `load_idx`."""
    return load_idx(FASHION_MNIST, folder=folder, subset=subset, fold=fold, split_seed=split_seed)


def load_idx(
    source: Source, *, folder: Path, subset: float, fold: int = 0, split_seed: int
) -> Dataset:
    """A data set in MNIST's format, split as in `official_splits`.

    Raises:
        DataError: a file is missing, unreadable, or differs from the published one.
        SpecError: `subset` leaves no training image, or there are not so many folds.
    """
    train, test = read_idx(source, folder)
    return official_splits(source, train, test, subset=subset, fold=fold, split_seed=split_seed)


def read_idx(source: Source, folder: Path) -> tuple[Images, Images]:
    """The official training and test images (N, 1, 28, 28) with their labels (N,).

    Raises:
        DataError: a file is missing, unreadable, or differs from the published one.
    """

    def read(files: tuple[str, str], count: int) -> Images:
        images = source.read(files[0], folder, partial(parse_idx, shape=(count, SIDE, SIDE)))
        labels = source.read(files[1], folder, partial(parse_labels, count=count))
        return images[:, None], labels

    return read(TRAIN, source.train), read(TEST, source.test)


def parse_labels(content: bytes, path: Path, *, count: int) -> NDArray[np.uint8]:
    """The labels (count,) of an IDX file.

    Raises:
        DataError: the file is damaged, or a label is out of range.
    """
    labels = parse_idx(content, path, shape=(count,))
    check_labels(labels, path)
    return labels


def parse_idx(content: bytes, path: Path, *, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The array of an IDX file: magic number, big-endian sizes, unsigned bytes.

    Raises:
        DataError: the magic number is wrong, or the shape or the length differs from `shape`.
    """
    magic = bytes([0, 0, 8, len(shape)])  # 8: unsigned bytes
    if content[:4] != magic:
        raise DataError(
            f"corrupt file {path}: should begin with the magic number {magic.hex()}; "
            f"found {content[:4].hex() or 'nothing'}"
        )
    start = 4 + 4 * len(shape)
    sizes = tuple(int(n) for n in np.frombuffer(content[4:start].ljust(start - 4, b"\0"), ">u4"))
    if sizes != shape:
        raise DataError(f"corrupt file {path}: its sizes should be {shape}; found {sizes}")
    length = start + int(np.prod(shape))
    if len(content) != length:
        raise DataError(
            f"corrupt or truncated file {path}: should have {length} bytes; found {len(content)}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
