"""The comparison of two sets of fronts: indicators for both sides, and a verdict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from paretoib.data import DATASETS
from paretoib.errors import ComparisonError
from paretoib.fronts._dominance import dominated_by, dominated_depth
from paretoib.fronts._front import classify, coordinates, flatten
from paretoib.fronts._settings import means, setting_key, settings
from paretoib.fronts._side_by_side import side_by_side
from paretoib.fronts._verdict import verdict
from paretoib.records import (
    ComparedPoint,
    Comparison,
    ComparisonSide,
    Cost,
    Front,
    ReferencePoint,
    Side,
    SidedCost,
    SweepInfo,
)
from paretoib.weighting import WEIGHTINGS


def compare(
    left: Sequence[Front], right: Sequence[Front], *, labels: tuple[str, str] | None = None
) -> Comparison:
    """Compare two sides; each side pools the trials of its sweeps.

    Most indicators are computed on the pooled fronts. The p-value, the intervals and the attainment
    are computed on one front for each seed, from all trials of the side with that seed. A seed that
    has diverged trials and no point counts with hypervolume 0; otherwise a side would gain from
    seeds that diverge. A sweep that is passed twice for one side counts once. `labels` default to
    the methods of the sides, to the names of the sweeps if the methods are equal, and to names with
    ids if the names are equal too.

    Raises:
        ComparisonError: a side has no point with a finite rate, or the sweeps' data differ.
    """
    left_fronts, right_fronts = _unique(left), _unique(right)
    label_left, label_right = labels or _labels(left_fronts, right_fronts)
    _check_rates("left", left_fronts)
    _check_rates("right", right_fronts)
    fronts = (*left_fronts, *right_fronts)
    _check_data(fronts)
    reference = ReferencePoint(
        rate_bits=max(front.reference.rate_bits for front in fronts),
        lost_bits=max(front.reference.lost_bits for front in fronts),
    )
    exact = next((front.exact for front in fronts if front.exact), None)
    cost = SidedCost(left=_cost(left_fronts), right=_cost(right_fronts))
    pools = _Pool.of("left", left_fronts), _Pool.of("right", right_fronts)
    left_points, right_points = (
        _with_dominance(pools[0].points, pools[1].points),
        _with_dominance(pools[1].points, pools[0].points),
    )
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
    )
    return comparison.model_copy(update={"verdict": verdict(comparison)})


def _unique(fronts: Sequence[Front]) -> tuple[Front, ...]:
    return tuple({front.sweep.id: front for front in fronts}.values())


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
        raise ComparisonError(
            f"each side should have a trial with a finite rate; found none on the {side} side "
            f"({names or 'no sweep'})"
        )


def _check_data(fronts: Sequence[Front]) -> None:
    (first_name, first_data), *others = ((front.sweep.name, _data(front)) for front in fronts)
    for name, data in others:
        for field in first_data | data:
            first, other = first_data.get(field), data.get(field)
            if first != other:
                raise ComparisonError(
                    f"sweeps should be on the same data to be compared; found {field} = {first} "
                    f"in `{first_name}` and {other} in `{name}`"
                )


def _data(front: Front) -> dict[str, Any]:
    """The data set's name and fields; fields that an older version did not have are defaults."""
    entry = DATASETS.get(front.sweep.dataset)
    defaults = {param.name: param.default for param in entry.params} if entry else {}
    data = {**defaults, **front.sweep.spec.get("data", {})}
    return {"dataset": front.sweep.dataset} | flatten(data, "data.")


def _cost(fronts: Sequence[Front]) -> Cost:
    return Cost(
        trials=sum(front.cost.trials for front in fronts),
        seconds=sum(front.cost.seconds for front in fronts),
    )


@dataclass(frozen=True)
class _Pool:
    """All points of one side by rate, with the front and the hull of these points together.

    `means` are the means over seeds of the points, one for each setting of the side.
    `moves_along_front` says whether a field of the weighting moves along the front.
    """

    points: list[ComparedPoint]
    means: Float[np.ndarray, "n 2"]
    moves_along_front: bool

    @classmethod
    def of(cls, side: Side, fronts: Sequence[Front]) -> "_Pool":
        points = [
            ComparedPoint(
                **dict(point),
                side=side,
                sweep=front.sweep.id,
                dominated_by_other=False,
                dominated_bits=0.0,
            )
            for front in fronts
            for point in front.points
        ]
        points.sort(key=lambda p: (p.rate_bits is None, p.rate_bits or 0.0))
        sections = {front.sweep.id: _sections(front.sweep) for front in fronts}
        # Sweeps that vary different fields share a setting if all fields of a trial are equal.
        keys = [setting_key({**sections[p.sweep], **p.params}) for p in points]
        return cls(
            classify(points, keys),
            means(settings(points, keys)),
            any(_moves_along_front(front.sweep) for front in fronts),
        )


def _moves_along_front(sweep: SweepInfo) -> bool:
    """Whether a field of the sweep's weighting moves along the front; True if it is not known."""
    section = sweep.spec.get("weighting", {})
    entry = WEIGHTINGS.get(section.get("name"))
    return entry is None or bool(entry.fields_along_front(section))


def _targets(pools: tuple[_Pool, _Pool]) -> dict[Side, Float[np.ndarray, "n 2"]]:
    """For a side that does not move along the front, the mean points of the side that does."""
    left, right = pools
    if left.moves_along_front == right.moves_along_front:
        return {}
    return {"right": left.means} if left.moves_along_front else {"left": right.means}


def _sections(sweep: SweepInfo) -> dict[str, Any]:
    """The fields of a sweep's spec that its trials have too, by dotted names."""
    names = ("data", "model", "objective", "weighting", "training")
    return flatten({name: sweep.spec[name] for name in names if name in sweep.spec})


def _with_dominance(
    points: list[ComparedPoint], others: list[ComparedPoint]
) -> list[ComparedPoint]:
    """The points of a side, with `dominated_by_other` and `dominated_bits`.

    `others` are the points of the other side. Points without a rate must come last in `points`.
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
    """Seeds with a point or a diverged trial.

    A seed with only pruned or failed trials is ignored, because it has no result.
    """
    measured = {point.seed for front in fronts for point in front.points}
    diverged = {
        trial.seed for front in fronts for trial in front.failed if trial.status == "diverged"
    }
    return tuple(sorted(measured | {seed for seed in diverged if seed is not None}))


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
