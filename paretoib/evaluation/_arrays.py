"""Checks of the arrays that a user passes to `measure`. Every check raises `DataError`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoib.errors import DataError

Array = NDArray[Any]


def as_numpy(name: str, value: Any) -> Array:
    """A NumPy array from an array, a list or a torch tensor; floats are in double precision."""
    if hasattr(value, "detach"):
        tensor = value.detach().cpu()
        value = (tensor.double() if tensor.is_floating_point() else tensor).numpy()
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(f"{name}: should be an array of numbers; found rows that differ") from error
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name}: should be an array of numbers; found type {array.dtype}")
    return array.astype(float) if array.dtype.kind == "f" else array


def as_numbers(name: str, value: Any, *, infinite: bool = False) -> Array:
    """An array of floats without NaN, and without infinity unless `infinite`."""
    array = as_numpy(name, value).astype(float)
    bad = np.isnan(array) if infinite else ~np.isfinite(array)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        rule = "should have no NaN" if infinite else "should be finite"
        raise DataError(
            f"{name}: {rule}; found {array[place]} at {list(place)} "
            f"({int(bad.sum())} of {array.size} values)"
        )
    return array


def check_shape(name: str, array: Array, *shapes: tuple[int | str, ...]) -> None:
    """Check that an array has one of the shapes; a letter stands for any size above 0."""
    for shape in shapes:
        if len(shape) == array.ndim and all(
            size > 0 if isinstance(wanted, str) else size == wanted
            for wanted, size in zip(shape, array.shape, strict=True)
        ):
            return
    rule = " or ".join(f"({', '.join(map(str, shape))})" for shape in shapes)
    raise DataError(f"{name}: should have shape {rule}; found {array.shape}")


def as_labels(value: Any, count: int) -> Array:
    """The labels of `count` examples: integers (N,) from 0, or floats (N, d)."""
    labels = as_numpy("labels", value)
    if labels.dtype.kind == "f":
        if labels.ndim != 2:
            raise DataError(
                "labels: should be integers (N,) for classes, or floats (N, d) for a continuous Y; "
                f"found floats {labels.shape}: convert with `labels.astype(int)`, or with "
                "`labels[:, None]`"
            )
        check_shape("labels", labels, (count, "d"))
        return as_numbers("labels", labels)
    if labels.ndim == 2:
        raise DataError(
            f"labels: should be integers (N,) for one task; found integers {labels.shape}: measure "
            "each task on its own"
        )
    check_shape("labels", labels, (count,))
    labels = labels.astype(np.int64)
    if labels.min() < 0:
        raise DataError(f"labels: should be classes from 0; found {labels.min()}")
    if labels.min() == labels.max():
        raise DataError(f"labels: should have two or more classes; found only {labels[0]}")
    return labels


def check_rows_sum_to_1(name: str, p: Array) -> None:
    """Check that the last axis holds probabilities."""
    if p.min() < 0:
        raise DataError(f"{name}: should be probabilities; found {p.min():g}")
    sums = p.sum(-1)
    furthest = float(sums.flat[np.abs(sums - 1).argmax()])
    if abs(furthest - 1) > 1e-3:
        raise DataError(f"{name}: the probabilities of a row should sum to 1; found {furthest:g}")
