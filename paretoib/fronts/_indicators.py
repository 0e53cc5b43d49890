"""Quality indicators of fronts whose coordinates are all minimised.

Zitzler, Thiele, Laumanns, Fonseca and Grunert da Fonseca, "Performance assessment of
multiobjective optimizers" (2003); IGD+: Ishibuchi et al. (2015); attainment: Fonseca, Guerreiro,
López-Ibáñez and Paquete (2011).
"""

from collections.abc import Sequence

import moocore
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from paretoib.errors import ParetoIBError
from paretoib.fronts._dominance import finite


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """The volume that the points dominate, up to the point `reference`; more is better.

    Its unit is the product of the coordinates' units (bits² for rate and lost bits). Points that
    are not smaller than the reference point in every coordinate add no volume.
    """
    corner = finite(np.atleast_2d(reference))
    return float(moocore.hypervolume(finite(points), ref=corner[0]))


def igd_plus(points: ArrayLike, target: ArrayLike) -> float:
    """Mean distance from the points of `target` to the region that `points` weakly dominate.

    The distance has the unit of the coordinates; less is better. It is 0 if `points` weakly
    dominate all of `target`.

    Raises:
        ParetoIBError: one of the two fronts is empty.
    """
    return float(moocore.igd_plus(_nonempty(points), ref=_nonempty(target)))


def epsilon_additive(points: ArrayLike, others: ArrayLike) -> float:
    """The smallest shift, equal in all coordinates, after which `points` weakly dominate `others`.

    The shift has the unit of the coordinates; less is better. It is negative if each of `others` is
    larger in all coordinates than some point.

    Raises:
        ParetoIBError: one of the two fronts is empty.
    """
    return float(moocore.epsilon_additive(_nonempty(points), ref=_nonempty(others)))


def attainment(fronts: Sequence[ArrayLike]) -> Float[np.ndarray, "k m+1"]:
    """The empirical attainment function of the fronts of several runs.

    Each row is a corner of a level set: its coordinates, then the share of runs (0 to 1) that
    attain it.

    Raises:
        ParetoIBError: a front is empty.
    """
    runs = [_nonempty(front) for front in fronts]
    levels = moocore.eaf(
        np.concatenate(runs), np.repeat(np.arange(len(runs)), [len(run) for run in runs])
    )
    levels[:, -1] /= 100
    return levels


def attainment_surface(fronts: Sequence[ArrayLike], runs: int) -> Float[np.ndarray, "k m"]:
    """The corners of the region that at least this number of `runs` attain, in ascending order.

    A front without points attains nothing. The result is empty if too few fronts have points.
    """
    attaining = [front for front in map(finite, fronts) if len(front)]
    if runs > len(attaining):
        return np.zeros((0, 2))
    # moocore takes a percentage, and rounds up to whole runs.
    corners = moocore.eaf(
        np.concatenate(attaining),
        np.repeat(np.arange(len(attaining)), [len(front) for front in attaining]),
        percentiles=[100 * (runs - 0.5) / len(attaining)],
    )[:, :-1]
    return corners[np.lexsort(corners.T[::-1])]


def attainment_difference(left: Sequence[ArrayLike], right: Sequence[ArrayLike]) -> float:
    """The largest difference between two empirical attainment functions (0 to 1).

    A goal is a point of the plane. Its difference is |share of left runs that attain the goal −
    share of right runs that attain the goal|. It is enough to try the corners of the level sets of
    all runs: for each attained goal there is a corner that exactly the same runs attain. A run
    without points attains no goal.
    """
    goals = attainment([run for run in (*left, *right) if len(finite(run))])[:, :-1]
    shares = [np.mean([_attains(run, goals) for run in side], axis=0) for side in (left, right)]
    return float(np.abs(shares[0] - shares[1]).max())


def _attains(front: ArrayLike, goals: np.ndarray) -> np.ndarray:
    return np.any(np.all(finite(front)[:, None, :] <= goals[None, :, :], axis=2), axis=0)


def _nonempty(points: ArrayLike) -> np.ndarray:
    array = finite(points)
    if not len(array):
        raise ParetoIBError("a front should have at least one point; found none")
    return array
