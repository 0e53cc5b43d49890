"""The distance of single points to a front.

A weighting without a field that moves along the front, such as MGDA, gives one point for each
initialisation. The hypervolume of such points says where they stopped, not how good they are. Their
distance to the front of a β grid says how much they lose.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from paretoib.fronts._hull import reachability
from paretoib.fronts._indicators import epsilon_additive
from paretoib.fronts._statistics import student_interval
from paretoib.records import FrontDistance


def front_distance(
    runs: Sequence[Float[np.ndarray, "n 2"]], front: Float[np.ndarray, "m 2"]
) -> FrontDistance:
    """The distance of a side's points, one array for each seed, to the other side's points."""
    runs = [run for run in runs if len(run)]
    epsilons = [float(np.mean([_shift(point, front) for point in run])) for run in runs]
    hull = reachability(front).vertices
    gaps = [_mean_hull_gap(run, hull) for run in runs]
    known = [gap for gap in gaps if gap is not None]
    complete = len(known) == len(gaps)
    return FrontDistance(
        epsilon_bits=float(np.mean(epsilons)),
        epsilon_interval=student_interval(epsilons),
        hull_gap_bits=float(np.mean(known)) if complete else None,
        hull_gap_interval=student_interval(known) if complete else None,
    )


def _shift(point: np.ndarray, front: np.ndarray) -> float:
    """The shift that moves a point onto a front: minus the additive ε of the front to the point."""
    return -epsilon_additive(front, point[None])


def _mean_hull_gap(run: np.ndarray, hull: np.ndarray) -> float | None:
    """The mean gap of the points that have at least the lowest rate of the hull."""
    above = run[run[:, 0] >= hull[0, 0]]
    if not len(above):
        return None
    return float(np.mean(above[:, 1] - np.interp(above[:, 0], *hull.T)))
