"""From official training and test images to the three splits."""

import numpy as np
import torch
from numpy.typing import NDArray

from paretoib.data._dataset import Dataset, Split
from paretoib.data._source import Source
from paretoib.errors import DataError, SpecError

CLASSES = 10

Images = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def official_splits(
    source: Source, train: Images, test: Images, *, subset: float, split_seed: int
) -> Dataset:
    """Splits of official (images, labels), pixels 0 … 255, images (N, channels, height, width).

    A permutation of the official training images, fixed by `split_seed`, gives its first
    `source.validation` images to validation and the next `subset` of the official number (or what
    is left) to training: validation is the same whatever the subset. Test is the official test
    set, in one fixed random order.

    Raises:
        SpecError: `subset` leaves no training image.
    """
    order = np.random.default_rng(split_seed).permutation(source.train)
    held, rest = order[: source.validation], order[source.validation :]
    count = min(subset_count(subset, source.train), len(rest))
    return Dataset(
        name=source.name,
        train=as_split(train, rest[:count]),
        validation=as_split(train, held),
        test=as_split(test, np.random.default_rng(0).permutation(source.test)),
        classes=CLASSES,
    )


def subset_count(subset: float, examples: int) -> int:
    """How many of `examples` the share `subset` is; a SpecError where it is none."""
    count = round(subset * examples)
    if count < 1:
        raise SpecError(
            f"`subset` should leave at least one of {examples} training images; "
            f"found `subset = {subset}`"
        )
    return count


def check_labels(labels: NDArray[np.uint8], where: object) -> None:
    """Raise a DataError for a label that is not one of the ten classes."""
    if len(labels) and labels.max() >= CLASSES:
        raise DataError(
            f"corrupt file {where}: labels should be below {CLASSES}; found {labels.max()}"
        )


def as_split(images: Images, index: NDArray[np.integer]) -> Split:
    """The images and labels at `index`, as tensors."""
    # [0, 1] and no further normalisation: an attack's ε is a distance between pixels in [0, 1].
    x = torch.from_numpy(images[0][index]).float().div_(255)
    return Split(x, torch.from_numpy(images[1][index]).long())
