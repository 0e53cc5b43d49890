"""Splits of image data sets, from the official training and test images."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from paretoib.data._dataset import Dataset, Split
from paretoib.data._source import Source
from paretoib.errors import DataError, SpecError

CLASSES = 10

Images = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def official_splits(
    source: Source, train: Images, test: Images, *, subset: float, fold: int, split_seed: int
) -> Dataset:
    """Splits of (images, labels): images (N, channels, height, width) with pixels 0 … 255.

    `split_seed` fixes a permutation of the official training images. Its first
    `source.validation` images are the validation split of fold 0, which therefore does not depend
    on `subset`. The next images are the training split: `subset` times the official number, but at
    most all remaining images. Each further `fold` first moves as many images as the training split
    has from the start of the permutation to its end. So the training splits of the folds have no
    image in common. The test split is the official test set, in a fixed random order.

    Raises:
        SpecError: `subset` leaves no training image, or there are not so many folds.
    """
    order = np.random.default_rng(split_seed).permutation(source.train)
    part = fold_of(subset, fold, source.train)
    order = np.roll(order, -part.start)
    validation, rest = order[: source.validation], order[source.validation :]
    count = min(len(part), len(rest))
    return Dataset(
        name=source.name,
        train=as_split(train, rest[:count]),
        validation=as_split(train, validation),
        test=as_split(test, np.random.default_rng(0).permutation(source.test)),
        classes=CLASSES,
    )


def subset_count(share: float, examples: int, parameter: str = "subset") -> int:
    """`share` times `examples`, rounded.

    `parameter` is the name of the share in the error message.

    Raises:
        SpecError: the result is 0.
    """
    count = round(share * examples)
    if count < 1:
        raise SpecError(
            f"`{parameter}` should leave at least one of {examples} training examples; "
            f"found `{parameter} = {share}`"
        )
    return count


def fold_of(share: float, fold: int, examples: int) -> range:
    """The positions of a fold, a `share` of all positions; folds do not overlap.

    Raises:
        SpecError: the share is empty, or there are not so many folds.
    """
    count = subset_count(share, examples)
    folds = math.floor(1 / share + 1e-9)
    if fold >= folds:
        raise SpecError(
            f"`fold` should be below {folds}, the number of folds with `subset = {share}`; "
            f"found `fold = {fold}`"
        )
    start = round(fold * share * examples)
    return range(start, min(start + count, round((fold + 1) * share * examples)))


def check_labels(labels: NDArray[np.uint8], file: object) -> None:
    """Raise a DataError that names the `file` if a label is not one of the ten classes."""
    if len(labels) and labels.max() >= CLASSES:
        raise DataError(
            f"corrupt file {file}: labels should be below {CLASSES}; found {labels.max()}"
        )


def as_split(images: Images, index: NDArray[np.integer]) -> Split:
    """The images and labels at `index`, as tensors."""
    x = torch.from_numpy(images[0][index]).float().div_(255)
    return Split(x, torch.from_numpy(images[1][index]).long())
