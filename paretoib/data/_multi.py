"""MultiMNIST and MultiFashionMNIST: two images in one, whose labels are two tasks.

Sabour, Frosst, Hinton: Dynamic Routing Between Capsules, 2017; in the form of Lin, Zhen, Li, Zhang,
Kwong: Pareto Multi-Task Learning, 2019, which mtvib takes: 36×36 pixels, 120 000 and 10 000 images.
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
    """Pairs of a source's images, every one of which is the left one of two pairs in training.

    There are twice as many as official training images. Validation has `source.validation` of them,
    made from images that are in no pair of training; training has the `subset` of all, or what is
    left. Test has a pair for each official test image. `split_seed` fixes the pairs, but for those
    of test; with `task` left or right, that label is the only one.

    What is made is kept in the data folder, under a name that holds its checksum, and read again
    from there.

    Raises:
        DataError: an official file is absent, unreadable, or not what the authors published.
        SpecError: `subset` leaves no training image.
    """
    held = source.validation // 2
    count = 2 * (source.train - held)
    wanted = min(subset_count(subset, 2 * source.train), count)
    records = _kept(name, source, folder, held, split_seed)
    tasks = DATASETS[name].tasks
    labels = records[:, :2] if task == "all" else records[:, tasks.index(task)]
    images = records[:, 2:].reshape(-1, 1, SIDE, SIDE), labels
    ends = np.cumsum([count, 2 * held, source.test])
    return Dataset(
        name=name,
        train=as_split(images, np.arange(wanted)),
        validation=as_split(images, np.arange(ends[0], ends[1])),
        test=as_split(images, np.arange(ends[1], ends[2])),
        classes=(CLASSES,) * len(tasks) if task == "all" else CLASSES,
        tasks=tasks if task == "all" else (),
    )


def make_pairs(train: Images, test: Images, held: int, seed: int) -> NDArray[np.uint8]:
    """The pairs of training, of validation and of test, (N, 2 + 36·36): both labels, the pixels.

    Each of the training images is left twice and right twice, among the last `held`, which
    validation is made from, or among the others; each of the test images once.
    """
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(0)
    order = rng.permutation(len(train[1]))
    parts = [(train, np.tile(half, 2), rng) for half in np.split(order, [len(order) - held])]
    parts.append((test, np.arange(len(test[1])), fixed))
    return np.concatenate(
        [
            overlay(images, draw.permutation(index), draw.permutation(index))
            for images, index, draw in parts
        ]
    )


def overlay(
    images: Images, left: NDArray[np.integer], right: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """The pairs of images `left` and `right` (N,), (N, 2 + 36·36).

    The left one lies at the top left, the right one 8 pixels further down and to the right; where
    they overlap, the brighter pixel is seen.
    """
    pixels, labels = images[0][:, 0], images[1]
    canvas = np.zeros((len(left), SIDE, SIDE), np.uint8)
    canvas[:, :-OFFSET, :-OFFSET] = pixels[left]
    corner = canvas[:, OFFSET:, OFFSET:]
    np.maximum(corner, pixels[right], out=corner)
    return np.column_stack([labels[left], labels[right], canvas.reshape(-1, _PIXELS)])


def _kept(name: str, source: Source, folder: Path, held: int, seed: int) -> NDArray[np.uint8]:
    """The pairs of a seed as they were kept; made and kept where they are absent or damaged."""
    place = folder / name.replace("_", "-")
    for path in sorted(place.glob(f"pairs-{seed}-*.bin")):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if path.stem.rpartition("-")[2] == _digest(content):
            return np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
        _log.warning("%s is damaged and made anew", path)
    records = make_pairs(*read_idx(source, folder), held, seed)
    _keep(records.tobytes(), place, f"pairs-{seed}")
    return records


def _keep(content: bytes, place: Path, stem: str) -> None:
    """Write the file whole; without it the pairs are made anew the next time."""
    target = place / f"{stem}-{_digest(content)}.bin"
    try:
        place.mkdir(parents=True, exist_ok=True)
        scratch = target.with_suffix(f".{os.getpid()}.tmp")
        try:
            scratch.write_bytes(content)
            scratch.replace(target)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("%s not written: %s", target, error)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
