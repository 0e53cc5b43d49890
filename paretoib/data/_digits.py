"""The 1 797 handwritten digits, 8×8, that come with scikit-learn: no file, no network."""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

from paretoib.data._dataset import Dataset, Split
from paretoib.data._images import CLASSES, subset_count


def load(*, folder: Path, subset: float, split_seed: int) -> Dataset:  # noqa: ARG001
    """The digits, inputs (1, 8, 8) in [0, 1]: 20 % test, 20 % validation, 60 % training.

    A permutation fixed by `split_seed` splits them; `subset` is a share of the training split.

    Raises:
        SpecError: `subset` leaves no training image.
    """
    digits = load_digits()
    x = torch.from_numpy(digits.images[:, None] / 16).float()
    y = torch.from_numpy(digits.target).long()
    order = torch.from_numpy(np.random.default_rng(split_seed).permutation(len(x)))
    fifth = len(x) // 5
    test, validation, train = order.split([fifth, fifth, len(x) - 2 * fifth])
    train = train[: subset_count(subset, len(train))]
    return Dataset(
        name="digits",
        train=Split(x[train], y[train]),
        validation=Split(x[validation], y[validation]),
        test=Split(x[test], y[test]),
        classes=CLASSES,
    )
