"""The indicators of a comparison, for both sides."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from paretoib.fronts._dominance import coverage, nondominated
from paretoib.fronts._front import coordinates, corner, runs_by_seed
from paretoib.fronts._front_distance import front_distance
from paretoib.fronts._indicators import (
    attainment_difference,
    epsilon_additive,
    hypervolume,
    igd_plus,
)
from paretoib.fronts._statistics import bootstrap_mean, bootstrap_ratio, mann_whitney
from paretoib.records import (
    ComparedPoint,
    ExactCurve,
    Indicators,
    ReferencePoint,
    Side,
    SidedCost,
    Sides,
)

MIN_RUNS = 2
"""Minimum number of seeds on each side for the attainment difference."""

MIN_TRIALS = 4
"""Minimum number of trials on each side for the hypervolume at equal cost.

The first few trials of a sweep depend on the order of the trials more than on the method.
"""


def side_by_side(
    left: Sequence[ComparedPoint],
    right: Sequence[ComparedPoint],
    seeds: tuple[Sequence[int], Sequence[int]],
    reference: ReferencePoint,
    cost: SidedCost,
    exact: ExactCurve | None,
    targets: Mapping[Side, Float[np.ndarray, "n 2"]],
) -> Indicators:
    """The indicators of both sides; `left` and `right` are all points of the sides.

    `seeds` are the seeds of the left and of the right side. `targets` has an entry for
    each side whose distance to the other front is measured: the mean points of the other side.
    `Indicators` explains the indicators.
    """
    left_front, right_front = _front(left), _front(right)
    union = np.concatenate([left_front, right_front])
    common = union[nondominated(union)]
    reference_corner = corner(reference)
    volumes = hypervolume(left_front, reference_corner), hypervolume(right_front, reference_corner)
    budget = min(cost.left.seconds, cost.right.seconds)
    affordable = (
        _affordable(left, cost.left.seconds, budget),
        _affordable(right, cost.right.seconds, budget),
    )
    enough = min(map(len, affordable)) >= MIN_TRIALS
    left_runs, right_runs = runs_by_seed(left, seeds[0]), runs_by_seed(right, seeds[1])
    runs_by_side: dict[Side, list[np.ndarray]] = {"left": left_runs, "right": right_runs}
    left_volumes = [hypervolume(run, reference_corner) for run in left_runs]
    right_volumes = [hypervolume(run, reference_corner) for run in right_runs]
    return Indicators(
        hypervolume=Sides(left=volumes[0], right=volumes[1]),
        hypervolume_ratio=volumes[0] / volumes[1] if volumes[1] else None,
        hypervolume_at_equal_cost=Sides(
            left=hypervolume(affordable[0], reference_corner) if enough else None,
            right=hypervolume(affordable[1], reference_corner) if enough else None,
        ),
        epsilon=Sides(
            left=epsilon_additive(left_front, right_front),
            right=epsilon_additive(right_front, left_front),
        ),
        igd_plus=Sides(left=igd_plus(left_front, common), right=igd_plus(right_front, common)),
        coverage=Sides(
            left=coverage(left_front, right_front), right=coverage(right_front, left_front)
        ),
        exact_gap_bits=Sides(
            left=_exact_gap(left_front, exact), right=_exact_gap(right_front, exact)
        ),
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
        seed_hypervolumes={"left": tuple(left_volumes), "right": tuple(right_volumes)},
        front_distances={
            side: front_distance(runs, targets[side])
            for side, runs in runs_by_side.items()
            if side in targets
        },
    )


def _front(points: Sequence[ComparedPoint]) -> Float[np.ndarray, "n 2"]:
    return coordinates([point for point in points if point.on_front])


def _affordable(
    points: Sequence[ComparedPoint], seconds: float, budget: float
) -> Float[np.ndarray, "n 2"]:
    """The points that a side had measured after `budget` of its `seconds` of training.

    The trials of the side's sweeps alternate, in the order in which they ended. The cost of failed
    trials is spread over the points, in proportion to the points' own costs.
    """
    ordered = sorted(points, key=lambda point: (point.order, point.sweep))
    spent = np.cumsum([point.seconds for point in ordered])
    if spent[-1] > 0:
        spent *= seconds / spent[-1]
    in_budget = spent <= budget * (1 + 1e-9)
    return coordinates([point for point, fits in zip(ordered, in_budget, strict=True) if fits])


def _exact_gap(front: np.ndarray, exact: ExactCurve | None) -> float | None:
    """Mean vertical distance of a front's points above the exact curve, in bits."""
    if exact is None:
        return None
    rate, lost = front.T
    return float(np.mean(lost - np.interp(rate, exact.rate_bits, exact.lost_bits)))
