"""Quality indicators of fronts to be minimised. moocore computes; this says what is asked of it.

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
    """The volume that the points dominate below `reference`: more is better.

    In the product of the coordinates' units (bits² on the plane of rate and lost bits). Points
    that are not better than the reference in every coordinate add nothing.
    """
    corner = finite(np.atleast_2d(reference))
    return float(moocore.hypervolume(finite(points), ref=corner[0]))


def igd_plus(points: ArrayLike, target: ArrayLike) -> float:
    """Mean distance from the points of `target` to the region that `points` dominates.

    In the coordinates' unit; less is better, 0 when all of `target` is weakly dominated.
    """
    return float(moocore.igd_plus(_some(points), ref=_some(target)))


def epsilon_additive(points: ArrayLike, others: ArrayLike) -> float:
    """The smallest shift of `points`, the same in every coordinate, to weakly dominate `others`.

    In the coordinates' unit; less is better, negative where `points` has room to spare.
    """
    return float(moocore.epsilon_additive(_some(points), ref=_some(others)))


def attainment(fronts: Sequence[ArrayLike]) -> Float[np.ndarray, "k m+1"]:
    """The empirical attainment function of several runs' fronts.

    Rows are the corners of its level sets: the coordinates, and the share of runs (0 to 1) that
    attain them.
    """
    runs = [_some(front) for front in fronts]
    levels = moocore.eaf(
        np.concatenate(runs), np.repeat(np.arange(len(runs)), [len(run) for run in runs])
    )
    levels[:, -1] /= 100
    return levels


def attainment_difference(left: Sequence[ArrayLike], right: Sequence[ArrayLike]) -> float:
    """The largest difference of two empirical attainment functions anywhere, 0 to 1.

    Where the share of left runs that attain a goal differs most from the share of right runs.
    Exact: every region with its own set of attaining runs has a corner among the level sets of
    all runs taken together. A run without points attains nothing.
    """
    goals = attainment([run for run in (*left, *right) if len(finite(run))])[:, :-1]
    shares = [np.mean([_attains(run, goals) for run in side], axis=0) for side in (left, right)]
    return float(np.abs(shares[0] - shares[1]).max())


def _attains(front: ArrayLike, goals: np.ndarray) -> np.ndarray:
    return np.any(np.all(finite(front)[:, None, :] <= goals[None, :, :], axis=2), axis=0)


def _some(points: ArrayLike) -> np.ndarray:
    array = finite(points)
    if not len(array):
        raise ParetoIBError("a front should have at least one point; found none")
    return array
