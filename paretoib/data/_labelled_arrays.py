"""Checks and splits of a user's arrays: inputs x, labels y, and perhaps their splits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from paretoib.errors import DataError

SPLITS = ("train", "validation", "test")
NAMES = ("x", "y", "split", *(f"{a}_{split}" for split in SPLITS for a in "xy"), "tasks")
VALIDATION_PART = 6  # one sixth of the training examples, as 10 000 of MNIST's 60 000

Array = NDArray[Any]


@dataclass(frozen=True)
class LabelledArrays:
    """Checked arrays: x (N, D) or (N, C, H, W), y (N,) or (N, T) from 0, names of T tasks.

    `split` (N,) has the index of each example's split in `SPLITS`, or is None if no splits are
    given.
    """

    x: Array
    y: NDArray[np.int64]
    tasks: tuple[str, ...]
    split: NDArray[np.int64] | None

    @property
    def kind(self) -> Literal["image", "vector"]:
        """The type of an input, as in `DatasetEntry`."""
        return "image" if self.x.ndim == 4 else "vector"

    @property
    def classes(self) -> tuple[int, ...]:
        """The number of classes of each task."""
        return tuple(int(labels.max()) + 1 for labels in self.y.reshape(len(self.y), -1).T)

    def splits(self, seed: int) -> tuple[NDArray[np.int64], ...]:
        """The shuffled positions of the training, validation and test examples.

        Without given splits: 60 %, 20 % and 20 %. Without a given validation split, it is a sixth
        of the training examples. Raises `DataError` if a split has fewer than two examples or the
        test split has one class only.
        """
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(self.x))
        if self.split is None:
            fifth = len(order) // 5
            test, validation, train = np.split(order, [fifth, 2 * fifth])
        else:
            train, validation, test = (order[self.split[order] == i] for i in range(3))
            if not len(validation):
                validation, train = np.split(train, [len(train) // VALIDATION_PART])
        parts = (train, validation, test)
        for name, part in zip(SPLITS, parts, strict=True):
            if len(part) < 2:
                raise DataError(f"split {name}: should have 2 or more examples; found {len(part)}")
        for task, labels in enumerate(self.y[test].reshape(len(test), -1).T):
            if labels.min() == labels.max():
                label = f"y[:, {task}]" if self.tasks else "y"
                raise DataError(
                    f"{label}: the test split should have two or more classes; found one"
                )
        return parts


def check_arrays(arrays: Mapping[str, Array]) -> LabelledArrays:
    """Check the arrays, by the names of `NAMES`.

    Either `x` and `y`, with or without `split`; or `x_train`, `y_train`, `x_test` and `y_test`,
    with or without `x_validation` and `y_validation`. With y (N, T), `tasks` may name the T tasks.
    Gray images (N, H, W) become (N, 1, H, W). Raises `DataError`.
    """
    x, y, split = _joined(arrays)
    if len(x) != len(y):
        raise DataError(f"x and y: should have equal lengths; found {len(x)} and {len(y)}")
    x, y = _checked_inputs(x), _checked_labels(y)
    return LabelledArrays(x, y, _task_names(arrays.get("tasks"), y), split)


def _joined(arrays: Mapping[str, Array]) -> tuple[Array, Array, NDArray[np.int64] | None]:
    """x, y and the index of each example's split, from one pair of arrays or one pair a split."""
    names = arrays.keys() - {"tasks"}
    if names in ({"x", "y"}, {"x", "y", "split"}):
        x, y = arrays["x"], arrays["y"]
        return x, y, _split_index(arrays["split"], len(x)) if "split" in arrays else None
    given = [s for s in SPLITS if {f"x_{s}", f"y_{s}"} <= names]
    if len(names) != 2 * len(given) or not {"train", "test"} <= {*given}:
        raise DataError(
            "arrays: should be x and y (with or without split), or x_train, y_train, x_test and "
            "y_test (with or without x_validation and y_validation); found "
            f"{', '.join(sorted(names)) or 'none'}"
        )
    lengths = [len(arrays[f"x_{s}"]) for s in given]
    for s, length in zip(given, lengths, strict=True):
        if length != len(arrays[f"y_{s}"]):
            found = f"found {length} and {len(arrays[f'y_{s}'])}"
            raise DataError(f"x_{s} and y_{s}: should have equal lengths; {found}")
        for a in "xy":
            first, other = arrays[f"{a}_train"], arrays[f"{a}_{s}"]
            if (first.shape[1:], first.dtype) != (other.shape[1:], other.dtype):
                raise DataError(
                    f"{a}_{s}: should have the type and the shape of {a}_train after the first "
                    f"axis, {first.dtype} {first.shape[1:]}; found {other.dtype} {other.shape[1:]}"
                )
    x, y = (np.concatenate([arrays[f"{a}_{s}"] for s in given]) for a in "xy")
    return x, y, np.repeat([SPLITS.index(s) for s in given], lengths)


def _split_index(split: Array, count: int) -> NDArray[np.int64]:
    if split.shape != (count,) or split.dtype.kind != "U":
        raise DataError(
            f"split: should be text of shape ({count},); found {split.dtype} {split.shape}"
        )
    for name in np.unique(split):
        if name not in SPLITS:
            raise DataError(f"split: should be one of {', '.join(SPLITS)}; found `{name}`")
    return np.select([split == name for name in SPLITS], [0, 1, 2])


def _checked_inputs(x: Array) -> Array:
    if x.dtype.kind not in "biuf":
        raise DataError(f"x: should be an array of numbers; found type {x.dtype}")
    if x.ndim not in (2, 3, 4) or 0 in x.shape:
        raise DataError(
            "x: should be vectors (N, D) or images (N, C, H, W) or (N, H, W); "
            f"found shape {x.shape}"
        )
    if x.ndim == 4 and x.shape[3] in (1, 3, 4) and x.shape[1] not in (1, 3, 4):
        raise DataError(
            f"x: images should be (N, C, H, W); found {x.shape}, which looks like (N, H, W, C): "
            "use `x.transpose(0, 3, 1, 2)`"
        )
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):
            finite = np.isfinite(x.astype(np.float32))
        if not finite.all():
            bad = tuple(int(i) for i in np.argwhere(~finite)[0])
            raise DataError(f"x: should be finite as float32; found {x[bad]} at {list(bad)}")
    return x[:, None] if x.ndim == 3 else x


def _checked_labels(y: Array) -> NDArray[np.int64]:
    if y.dtype.kind not in "biu":
        raise DataError(
            "y: should be integers, because a continuous Y needs a known I(X;Y); found type "
            f"{y.dtype}: convert classes with `np.unique(y, return_inverse=True)[1]`"
        )
    if y.ndim not in (1, 2) or 0 in y.shape:
        raise DataError(f"y: should be (N,), or (N, T) for T tasks; found shape {y.shape}")
    y = y.astype(np.int64)
    for task, labels in enumerate(y.reshape(len(y), -1).T):
        found = np.unique(labels)
        if found[0] != 0 or found[-1] != len(found) - 1 or len(found) < 2:
            name = "y" if y.ndim == 1 else f"y[:, {task}]"
            raise DataError(
                f"{name}: should be two or more classes, numbered from 0 without gaps; found "
                f"{len(found)} from {found[0]} to {found[-1]}: number them with "
                "`np.unique(y, return_inverse=True)[1]`"
            )
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def _task_names(tasks: Array | None, y: NDArray[np.int64]) -> tuple[str, ...]:
    count = y.shape[1] if y.ndim == 2 else 0
    if tasks is None:
        return tuple(f"task_{i + 1}" for i in range(count))
    names = tuple(str(name) for name in tasks.reshape(-1))
    valid = tasks.dtype.kind == "U" and len({*names}) == count and "all" not in names
    if not valid or not all(name.isidentifier() for name in names):
        raise DataError(
            f"tasks: should be {count} different names of letters, digits and `_`, one for each "
            f"column of y, and not `all`; found {list(names)}"
        )
    return names
