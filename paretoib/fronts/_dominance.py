"""Pareto dominance of points whose coordinates are all minimised."""

import math
from collections.abc import Mapping, Sequence

import moocore
import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from paretoib.errors import ParetoIBError


def finite(points: ArrayLike) -> Float[np.ndarray, "n m"]:
    """The points as an array of float64, one point per row.

    Raises:
        ParetoIBError: a coordinate is NaN or infinite; moocore would drop such rows silently.
    """
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2:
        raise ParetoIBError(f"points should be rows of coordinates; found an array {array.shape}")
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        row = int(bad[0])
        raise ParetoIBError(f"points should be finite; found {array[row].tolist()} in row {row}")
    return array


def nondominated(points: ArrayLike) -> Bool[np.ndarray, " n"]:
    """Mask of the points that no other point dominates; equal points have equal values."""
    array = finite(points)
    if not len(array):
        return np.zeros(0, dtype=bool)
    return moocore.is_nondominated(array, keep_weakly=True)


def dominated_layers(points: Mapping[str, Sequence[float] | None], *, keep: float) -> set[str]:
    """The names of the points that are not among the best share `keep` in non-dominated sorting.

    As in MOASHA (Schmucker et al. 2021), except that a layer is kept or dropped as a whole: the
    layer that completes the share is kept. A point that is None ranks last. The result is empty for
    fewer than 1 / (1 − keep) points, or if all points are None.
    """
    known = {name: point for name, point in points.items() if point is not None}
    count = len(points)
    if count < 1 / (1 - keep) or not known:
        return set()
    ranks = moocore.pareto_rank(finite(list(known.values())))
    keep_count = max(1, math.ceil(keep * count))
    worst_kept = np.sort(ranks)[min(keep_count, len(ranks)) - 1]
    kept = {name for name, rank in zip(known, ranks, strict=True) if rank <= worst_kept}
    return points.keys() - kept


def dominated_by(points: ArrayLike, others: ArrayLike) -> Bool[np.ndarray, " n"]:
    """Mask of the points that at least one point of `others` dominates.

    A dominating point has no larger coordinate and at least one smaller coordinate.
    """
    own, other = _pairwise(points, others)
    return np.any(np.all(other <= own, axis=2) & np.any(other < own, axis=2), axis=1)


def dominated_depth(points: ArrayLike, others: ArrayLike) -> Float[np.ndarray, " n"]:
    """For each point, the largest margin by which a point of `others` is better.

    The margin of a pair is the smallest difference in any coordinate. The result is 0 if no point
    of `others` is smaller in all coordinates.
    """
    own, other = _pairwise(points, others)
    return np.max(np.min(own - other, axis=2), axis=1, initial=0.0)


def coverage(points: ArrayLike, others: ArrayLike) -> float:
    """The share of `others` that some point dominates or equals (0 to 1).

    The C-metric C(points, others) of Zitzler and Thiele (1998), which is not symmetric. It is 0 if
    `others` is empty.
    """
    other, own = _pairwise(others, points)
    covered = np.any(np.all(own <= other, axis=2), axis=1)
    return float(np.mean(covered)) if len(covered) else 0.0


def _pairwise(points: ArrayLike, others: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    return finite(points)[:, None, :], finite(others)[None, :, :]
