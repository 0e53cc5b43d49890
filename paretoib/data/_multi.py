"""MultiMNIST and MultiFashionMNIST: two overlapping images, whose labels are two tasks.

Sabour, Frosst, Hinton: Dynamic Routing Between Capsules, 2017. This variant is from Lin, Zhen, Li,
Zhang, Kwong: Pareto Multi-Task Learning, 2019, and is used by mtvib: 36×36 pixels, 120 000 training
images and 10 000 test images.
"""

import hashlib
import logging
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paretoib.data import DATASETS
from paretoib.data._dataset import Dataset
from paretoib.data._idx import FASHION_MNIST, MNIST, read_idx
from paretoib.data._images import CLASSES, Images, as_split, subset_count
from paretoib.data._source import Source

_log = logging.getLogger(__name__)

SIDE, OFFSET = 36, 8
_PIXELS = SIDE * SIDE
_RECORD = 2 + _PIXELS  # the left and the right label, then the pixels


def load_multi_mnist(*, folder: Path, task: str, subset: float, split_seed: int) -> Dataset:
    """Pairs of MNIST digits: inputs (1, 36, 36) in [0, 1]; see `load_multi`."""
    return load_multi("multi_mnist", MNIST, folder, task, subset, split_seed)


def load_multi_fashion(*, folder: Path, task: str, subset: float, split_seed: int) -> Dataset:
    """Pairs of Fashion-MNIST images: inputs (1, 36, 36) in [0, 1]; see `load_multi`."""
    return load_multi("multi_fashion", FASHION_MNIST, folder, task, subset, split_seed)


def load_multi(
    name: str, source: Source, folder: Path, task: str, subset: float, split_seed: int
) -> Dataset:
    """Overlapping pairs of a left and a right image of a source; Y has the labels of both images.

    There are two pairs for each official training image. The validation split has
    `source.validation` pairs, whose images are in no training pair. The training split has `subset`
    times the number of training and validation pairs, but at most all training pairs. The test
    split has one pair for each official test image. `split_seed` fixes the pairs of training and
    validation. If `task` is "left" or "right", Y is the label of that image alone.

    The pairs are cached in the data folder, in a file whose name holds a checksum.

    Raises:
        DataError: an official file is missing, unreadable, or differs from the published one.
        SpecError: `subset` leaves no training pair.
    """
    validation_images = source.validation // 2
    count = 2 * (source.train - validation_images)
    train_count = min(subset_count(subset, 2 * source.train), count)
    records = _cached_pairs(name, source, folder, validation_images, split_seed)
    tasks = DATASETS[name].tasks
    labels = records[:, :2] if task == "all" else records[:, tasks.index(task)]
    images = records[:, 2:].reshape(-1, 1, SIDE, SIDE), labels
    ends = np.cumsum([count, 2 * validation_images, source.test])
    return Dataset(
        name=name,
        train=as_split(images, np.arange(train_count)),
        validation=as_split(images, np.arange(ends[0], ends[1])),
        test=as_split(images, np.arange(ends[1], ends[2])),
        classes=(CLASSES,) * len(tasks) if task == "all" else CLASSES,
        tasks=tasks if task == "all" else (),
    )


def make_pairs(train: Images, test: Images, validation_images: int, seed: int) -> NDArray[np.uint8]:
    """The pairs of training, validation and test, (N, 2 + 36·36): both labels, then the pixels.

    Validation pairs are made from the last `validation_images` of the shuffled training images,
    training pairs from the other training images. Each of these images is the left image in two
    pairs and the right image in two pairs. Each test image is the left image in one pair and the
    right image in one pair.
    """
    rng, test_rng = np.random.default_rng(seed), np.random.default_rng(0)
    order = rng.permutation(len(train[1]))
    groups = np.split(order, [len(order) - validation_images])
    parts = [(train, np.tile(group, 2), rng) for group in groups]
    parts.append((test, np.arange(len(test[1])), test_rng))
    return np.concatenate(
        [
            overlay(images, generator.permutation(index), generator.permutation(index))
            for images, index, generator in parts
        ]
    )


def overlay(
    images: Images, left: NDArray[np.integer], right: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """The pairs, (N, 2 + 36·36), of the images with the indices `left` (N,) and `right` (N,).

    The left image is in the top left corner, the right image in the bottom right corner, 8 pixels
    lower and further right. Where the images overlap, a pixel has the larger of the two values.
    """
    pixels, labels = images[0][:, 0], images[1]
    canvas = np.zeros((len(left), SIDE, SIDE), np.uint8)
    canvas[:, :-OFFSET, :-OFFSET] = pixels[left]
    corner = canvas[:, OFFSET:, OFFSET:]
    np.maximum(corner, pixels[right], out=corner)
    return np.column_stack([labels[left], labels[right], canvas.reshape(-1, _PIXELS)])


def _cached_pairs(
    name: str, source: Source, folder: Path, validation_images: int, seed: int
) -> NDArray[np.uint8]:
    """The pairs of a seed from the cache; missing or damaged pairs are created and cached."""
    directory = folder / name.replace("_", "-")
    for path in sorted(directory.glob(f"pairs-{seed}-*.bin")):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if path.stem.rpartition("-")[2] == _digest(content):
            return np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
        _log.warning("%s is damaged; creating it again", path)
    records = make_pairs(*read_idx(source, folder), validation_images, seed)
    _write_cache(records.tobytes(), directory, f"pairs-{seed}")
    return records


def _write_cache(content: bytes, directory: Path, stem: str) -> None:
    """Write the file atomically; a failure is only logged, because pairs can be created again."""
    target = directory / f"{stem}-{_digest(content)}.bin"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(f".{os.getpid()}.tmp")
        try:
            temporary.write_bytes(content)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("%s not written: %s", target, error)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
