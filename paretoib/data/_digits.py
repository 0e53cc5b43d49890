"""The 1 797 handwritten digits, 8×8, that come with scikit-learn and need no download."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from paretoib.data._dataset import Dataset, Split
from paretoib.data._images import CLASSES, fold_of
from paretoib.errors import DataError


def load(*, folder: Path, subset: float, fold: int = 0, split_seed: int) -> Dataset:  # noqa: ARG001
    """The digits, inputs (1, 8, 8) in [0, 1]: 20 % test, 20 % validation, 60 % training.

    `split_seed` fixes the permutation before the split. `subset` is the share of the training split
    that is used. The split is cut into disjoint parts of this size; `fold` says which part is used,
    counted from 0.

    Raises:
        SpecError: `subset` leaves no training image, or there are not so many folds.
        DataError: scikit-learn's file with the digits is missing or cannot be read.
    """
    x, y = _read()
    order = torch.from_numpy(np.random.default_rng(split_seed).permutation(len(x)))
    fifth = len(x) // 5
    test, validation, train = order.split([fifth, fifth, len(x) - 2 * fifth])
    part = fold_of(subset, fold, len(train))
    train = train[part.start : part.stop]
    return Dataset(
        name="digits",
        train=Split(x[train], y[train]),
        validation=Split(x[validation], y[validation]),
        test=Split(x[test], y[test]),
        classes=CLASSES,
    )


def _read() -> tuple[Tensor, Tensor]:
    """Images and labels, read from scikit-learn's file.

    scikit-learn is not imported, because the import takes longer than training a small pack.
    """
    sklearn = find_spec("sklearn")
    if sklearn is None or sklearn.origin is None:
        raise DataError(
            "data set `digits` comes with scikit-learn, which is not installed: "
            "install it or choose another data set"
        )
    path = Path(sklearn.origin).parent / "datasets" / "data" / "digits.csv.gz"
    try:
        with gzip.open(path, "rt") as file:
            rows = torch.from_numpy(np.loadtxt(file, delimiter=",", dtype=np.float32))
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"cannot read scikit-learn's digits, {path}: {error}") from error
    return rows[:, :-1].reshape(-1, 1, 8, 8) / 16, rows[:, -1].long()
