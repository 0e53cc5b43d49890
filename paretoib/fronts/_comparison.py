"""The comparison of two sets of fronts: indicators for both sides, and a verdict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from paretoib.errors import ComparisonError
from paretoib.fronts._conditions import filtered
from paretoib.fronts._curve import hypervolume_curve
from paretoib.fronts._dominance import dominated_by, dominated_depth
from paretoib.fronts._front import coordinates
from paretoib.fronts._pool import check_data, pool_fronts
from paretoib.fronts._settings import seeds_of
from paretoib.fronts._side_by_side import side_by_side
from paretoib.fronts._verdict import verdict
from paretoib.records import (
    ComparedPoint,
    ComparedSetting,
    Comparison,
    ComparisonSide,
    Cost,
    Front,
    HypervolumeCurve,
    ReferencePoint,
    Side,
    SidedCost,
    SweepInfo,
)
from paretoib.weighting import WEIGHTINGS

C = TypeVar("C", ComparedPoint, ComparedSetting)


def compare(
    left: Sequence[Front],
    right: Sequence[Front],
    *,
    labels: tuple[str, str] | None = None,
    where: Sequence[str] = (),
) -> Comparison:
    """Compare two sides; each side pools the trials of its sweeps.

    Most indicators are computed on the pooled fronts. The p-value, the intervals and the attainment
    are computed on one front for each seed, from all trials of the side with that seed. A seed that
    has diverged trials and no point counts with hypervolume 0; otherwise a side would gain from
    seeds that diverge. A sweep that is passed twice for one side counts once. `labels` default to
    the methods of the sides, to the names of the sweeps if the methods are equal, and to names with
    ids if the names are equal too. Only trials that satisfy all conditions in `where` are compared.

    Raises:
        ComparisonError: a side has no point with a finite rate, or the sweeps' data differ.
        FilterError: a condition is invalid, or no trial satisfies all conditions.
    """
    left_fronts, right_fronts = _unique(left), _unique(right)
    kept = filtered([*left_fronts, *right_fronts], where)
    left_fronts, right_fronts = kept[: len(left_fronts)], kept[len(left_fronts) :]
    label_left, label_right = labels or _labels(left_fronts, right_fronts)
    _check_rates("left", left_fronts)
    _check_rates("right", right_fronts)
    fronts = [*left_fronts, *right_fronts]
    check_data(fronts)
    reference = ReferencePoint(
        rate_bits=max(front.reference.rate_bits for front in fronts),
        lost_bits=max(front.reference.lost_bits for front in fronts),
    )
    exact = next((front.exact for front in fronts if front.exact), None)
    cost = SidedCost(left=_cost(left_fronts), right=_cost(right_fronts))
    pools = _Side.of("left", left_fronts), _Side.of("right", right_fronts)
    left_points, right_points = _both_with_dominance(pools[0].points, pools[1].points)
    left_settings, right_settings = _both_with_dominance(pools[0].settings, pools[1].settings)
    seeds = _seeds(left_fronts), _seeds(right_fronts)
    comparison = Comparison(
        dataset=fronts[0].sweep.dataset,
        left=_side(label_left, left_fronts, left_points, seeds[0]),
        right=_side(label_right, right_fronts, right_points, seeds[1]),
        reference=reference,
        label_entropy_bits=fronts[0].label_entropy_bits,
        indicators=side_by_side(
            left_points, right_points, seeds, reference, cost, exact, _targets(pools)
        ),
        points=(*left_points, *right_points),
        exact=exact,
        cost=cost,
        verdict="",
        settings=(*left_settings, *right_settings),
        hypervolume_curves={
            "left": _curve(left_fronts, reference),
            "right": _curve(right_fronts, reference),
        },
        where=tuple(dict.fromkeys(text for front in fronts for text in front.where)),
    )
    return comparison.model_copy(update={"verdict": verdict(comparison)})


def _unique(fronts: Sequence[Front]) -> list[Front]:
    return [*{front.sweep.id: front for front in fronts}.values()]


def _labels(left: Sequence[Front], right: Sequence[Front]) -> tuple[str, str]:
    candidates: tuple[Callable[[SweepInfo], str], ...] = (
        lambda sweep: sweep.method,
        lambda sweep: sweep.name,
        lambda sweep: f"{sweep.name} ({sweep.id[:8]})",
    )
    for label in candidates:
        first, second = (
            " + ".join(dict.fromkeys(label(front.sweep) for front in side))
            for side in (left, right)
        )
        if first != second:
            return first, second
    return f"{first} (left)", f"{second} (right)"


def _check_rates(side: Side, fronts: Sequence[Front]) -> None:
    if not any(len(coordinates(front.points)) for front in fronts):
        names = ", ".join(f"`{front.sweep.name}`" for front in fronts)
        conditions = {text for front in fronts for text in front.where}
        where = f" with {' and '.join(sorted(conditions))}" if conditions else ""
        raise ComparisonError(
            f"each side should have a trial with a finite rate{where}; found none on the {side} "
            f"side ({names or 'no sweep'})"
        )


def _cost(fronts: Sequence[Front]) -> Cost:
    return Cost(
        trials=sum(front.cost.trials for front in fronts),
        seconds=sum(front.cost.seconds for front in fronts),
    )


@dataclass(frozen=True)
class _Side:
    """The pooled trials and settings of one side by rate, with front and hull of each.

    `means` are the means over seeds of the points, one for each setting of the side.
    `moves_along_front` says whether a field of the weighting moves along the front.
    """

    points: list[ComparedPoint]
    settings: list[ComparedSetting]
    means: Float[np.ndarray, "n 2"]
    moves_along_front: bool

    @classmethod
    def of(cls, side: Side, fronts: Sequence[Front]) -> "_Side":
        pool = pool_fronts(fronts)
        undominated = {"side": side, "dominated_by_other": False, "dominated_bits": 0.0}
        return cls(
            [
                ComparedPoint(**dict(point), sweep=sweep, **undominated)
                for point, sweep in zip(pool.points, pool.sweeps, strict=True)
            ],
            [
                ComparedSetting(**dict(setting), sweeps=sweeps, **undominated)
                for setting, sweeps in pool.settings
            ],
            pool.means,
            any(_moves_along_front(front.sweep) for front in fronts),
        )


def _moves_along_front(sweep: SweepInfo) -> bool:
    """Whether a field of the sweep's weighting moves along the front; True if it is not known."""
    section = sweep.spec.get("weighting", {})
    entry = WEIGHTINGS.get(section.get("name"))
    return entry is None or bool(entry.fields_along_front(section))


def _targets(pools: tuple[_Side, _Side]) -> dict[Side, Float[np.ndarray, "n 2"]]:
    """For a side that does not move along the front, the mean points of the side that does."""
    left, right = pools
    if left.moves_along_front == right.moves_along_front:
        return {}
    return {"right": left.means} if left.moves_along_front else {"left": right.means}


def _both_with_dominance(left: list[C], right: list[C]) -> tuple[list[C], list[C]]:
    return _with_dominance(left, right), _with_dominance(right, left)


def _with_dominance(points: list[C], others: list[C]) -> list[C]:
    """The points or settings of a side, with `dominated_by_other` and `dominated_bits`.

    `others` are those of the other side. Points without a rate must come last in `points`.
    """
    own, other = coordinates(points), coordinates(others)
    dominance = zip(dominated_by(own, other), dominated_depth(own, other), strict=True)
    marked = [
        point.model_copy(
            update={"dominated_by_other": bool(dominated), "dominated_bits": float(depth)}
        )
        for point, (dominated, depth) in zip(points[: len(own)], dominance, strict=True)
    ]
    return marked + points[len(own) :]


def _seeds(fronts: Sequence[Front]) -> tuple[int, ...]:
    return seeds_of(
        [point for front in fronts for point in front.points],
        [trial for front in fronts for trial in front.failed],
    )


def _curve(fronts: Sequence[Front], reference: ReferencePoint) -> HypervolumeCurve:
    """The hypervolume of a side; the trials of its sweeps alternate, in the order of their end."""
    trials = []
    for front in fronts:
        if (curve := front.hypervolume_curve) is None:
            continue
        by_order = {point.order: point for point in front.points}
        own_seconds = np.diff(curve.seconds, prepend=0.0).tolist()
        for count, seconds in zip(curve.trials, own_seconds, strict=True):
            trials.append((count, front.sweep.id, seconds, by_order.get(count - 1)))
    trials.sort(key=lambda trial: trial[:2])
    pooled = ((i, seconds, point) for i, (*_, seconds, point) in enumerate(trials, start=1))
    return hypervolume_curve(pooled, reference)


def _side(
    label: str, fronts: Sequence[Front], points: list[ComparedPoint], seeds: tuple[int, ...]
) -> ComparisonSide:
    unsupported = [p for p in points if p.on_front and not p.supported]
    return ComparisonSide(
        label=label,
        sweeps=tuple(front.sweep for front in fronts),
        seeds=seeds,
        on_front=sum(p.on_front for p in points),
        unsupported=len(unsupported),
        gaps_shown=(
            None
            if unsupported and all(p.hull_gap_interval is None for p in unsupported)
            else sum(p.gap_shown for p in unsupported)
        ),
    )
