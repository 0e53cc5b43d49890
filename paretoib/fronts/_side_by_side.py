"""The numbers of a comparison, each for both sides."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from paretoib.fronts._dominance import coverage, nondominated
from paretoib.fronts._front import coordinates, corner
from paretoib.fronts._indicators import (
    attainment_difference,
    epsilon_additive,
    hypervolume,
    igd_plus,
)
from paretoib.fronts._statistics import bootstrap_mean, bootstrap_ratio, mann_whitney
from paretoib.records import ComparedPoint, ExactCurve, Indicators, Reference, SidedCost, Sides

MIN_RUNS = 2
"""Seeds a side below which an attainment function says nothing that the front does not."""


def side_by_side(
    left: Sequence[ComparedPoint],
    right: Sequence[ComparedPoint],
    seeds: tuple[Sequence[int], Sequence[int]],
    reference: Reference,
    cost: SidedCost,
    exact: ExactCurve | None,
) -> Indicators:
    """Both sides' quality, from all their points and the seeds of each; see `Indicators`."""
    ours, theirs = _front(left), _front(right)
    union = np.concatenate([ours, theirs])
    best = union[nondominated(union)]
    at = corner(reference)
    volumes = hypervolume(ours, at), hypervolume(theirs, at)
    budget = min(cost.left.seconds, cost.right.seconds)
    left_runs, right_runs = _by_seed(left, seeds[0]), _by_seed(right, seeds[1])
    left_volumes = [hypervolume(run, at) for run in left_runs]
    right_volumes = [hypervolume(run, at) for run in right_runs]
    return Indicators(
        hypervolume=Sides(left=volumes[0], right=volumes[1]),
        hypervolume_ratio=volumes[0] / volumes[1] if volumes[1] else None,
        hypervolume_at_equal_cost=Sides(
            left=hypervolume(_within(left, cost.left.seconds, budget), at),
            right=hypervolume(_within(right, cost.right.seconds, budget), at),
        ),
        epsilon=Sides(left=epsilon_additive(ours, theirs), right=epsilon_additive(theirs, ours)),
        igd_plus=Sides(left=igd_plus(ours, best), right=igd_plus(theirs, best)),
        coverage=Sides(left=coverage(ours, theirs), right=coverage(theirs, ours)),
        exact_gap_bits=Sides(left=_exact_gap(ours, exact), right=_exact_gap(theirs, exact)),
        attainment_difference=(
            attainment_difference(left_runs, right_runs)
            if min(len(left_runs), len(right_runs)) >= MIN_RUNS
            else None
        ),
        p_value=mann_whitney(left_volumes, right_volumes),
        intervals={
            "hypervolume_left": bootstrap_mean(left_volumes),
            "hypervolume_right": bootstrap_mean(right_volumes),
            "hypervolume_ratio": bootstrap_ratio(left_volumes, right_volumes),
        },
    )


def _front(points: Sequence[ComparedPoint]) -> Float[np.ndarray, "n 2"]:
    return coordinates([point for point in points if point.on_front])


def _by_seed(
    points: Sequence[ComparedPoint], seeds: Sequence[int]
) -> list[Float[np.ndarray, "n 2"]]:
    """Each seed's points; none where a seed's trials diverged or have no finite rate."""
    return [coordinates([p for p in points if p.seed == seed]) for seed in seeds]


def _within(
    points: Sequence[ComparedPoint], seconds: float, budget: float
) -> Float[np.ndarray, "n 2"]:
    """What a side had reached when `budget` of its `seconds` were spent.

    Its sweeps take turns, each in the order in which its trials ended. What failed trials cost is
    spread over the others in proportion.
    """
    ran = sorted(points, key=lambda point: (point.order, point.sweep))
    spent = np.cumsum([point.seconds for point in ran])
    if spent[-1] > 0:
        spent *= seconds / spent[-1]
    affordable = spent <= budget * (1 + 1e-9)
    return coordinates([point for point, fits in zip(ran, affordable, strict=True) if fits])


def _exact_gap(front: np.ndarray, exact: ExactCurve | None) -> float | None:
    """Mean vertical distance of a front's points above the exact curve, in bits."""
    if exact is None:
        return None
    rate, lost = front.T
    return float(np.mean(lost - np.interp(rate, exact.rate_bits, exact.lost_bits)))
