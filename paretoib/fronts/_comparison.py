"""Two sets of fronts on one ruler: indicators both ways, and what they show."""

from collections.abc import Callable, Sequence
from typing import Any

from paretoib.errors import ComparisonError
from paretoib.fronts._dominance import dominated_by, dominated_depth
from paretoib.fronts._front import coordinates, flatten, place
from paretoib.fronts._side_by_side import side_by_side
from paretoib.fronts._verdict import verdict
from paretoib.records import (
    ComparedPoint,
    Comparison,
    ComparisonSide,
    Cost,
    Front,
    Reference,
    Side,
    SidedCost,
    SweepInfo,
)


def compare(
    left: Sequence[Front], right: Sequence[Front], *, labels: tuple[str, str] | None = None
) -> Comparison:
    """Compare two sides, each the pooled trials of its sweeps.

    Indicators are those of the pooled fronts; p-value, intervals and attainment are over the
    per-seed fronts (all of a side's trials of one seed). A seed whose trials all diverged is one
    that reached nothing: no side is judged by its survivors. A sweep named twice on a side counts
    once. `labels` default to what tells the sides apart: methods, or else names,
    or else ids.

    Raises ComparisonError where a side is empty or has no point with a finite rate, and where the
    sweeps are on different data.
    """
    lefts, rights = _unique(left), _unique(right)
    label_left, label_right = labels or _labels(lefts, rights)
    _measurable("left", lefts)
    _measurable("right", rights)
    fronts = (*lefts, *rights)
    _same_data(fronts)
    reference = Reference(
        rate_bits=max(front.reference.rate_bits for front in fronts),
        lost_bits=max(front.reference.lost_bits for front in fronts),
    )
    exact = next((front.exact for front in fronts if front.exact), None)
    cost = SidedCost(left=_cost(lefts), right=_cost(rights))
    left_points, right_points = _pool("left", lefts), _pool("right", rights)
    left_points, right_points = (
        _against(left_points, right_points),
        _against(right_points, left_points),
    )
    seeds = _seeds(lefts), _seeds(rights)
    comparison = Comparison(
        dataset=fronts[0].sweep.dataset,
        left=_side(label_left, lefts, left_points, seeds[0]),
        right=_side(label_right, rights, right_points, seeds[1]),
        reference=reference,
        label_entropy_bits=fronts[0].label_entropy_bits,
        indicators=side_by_side(left_points, right_points, seeds, reference, cost, exact),
        points=(*left_points, *right_points),
        exact=exact,
        cost=cost,
        verdict="",
    )
    return comparison.model_copy(update={"verdict": verdict(comparison)})


def _unique(fronts: Sequence[Front]) -> tuple[Front, ...]:
    return tuple({front.sweep.id: front for front in fronts}.values())


def _labels(left: Sequence[Front], right: Sequence[Front]) -> tuple[str, str]:
    ways: tuple[Callable[[SweepInfo], str], ...] = (
        lambda sweep: sweep.method,
        lambda sweep: sweep.name,
        lambda sweep: f"{sweep.name} ({sweep.id[:8]})",
    )
    for told in ways:
        ours, theirs = (
            " + ".join(dict.fromkeys(told(front.sweep) for front in side)) for side in (left, right)
        )
        if ours != theirs:
            return ours, theirs
    return f"{ours} (left)", f"{theirs} (right)"


def _measurable(side: Side, fronts: Sequence[Front]) -> None:
    if not any(len(coordinates(front.points)) for front in fronts):
        names = ", ".join(f"`{front.sweep.name}`" for front in fronts)
        raise ComparisonError(
            f"each side should have a trial with a finite rate; found none on the {side} side "
            f"({names or 'no sweep'})"
        )


def _same_data(fronts: Sequence[Front]) -> None:
    first, *others = ((front.sweep.name, _data(front)) for front in fronts)
    for name, data in others:
        for field in first[1] | data:
            ours, theirs = first[1].get(field), data.get(field)
            if ours != theirs:
                raise ComparisonError(
                    f"sweeps should be on the same data to be compared; found {field} = {ours} "
                    f"in `{first[0]}` and {theirs} in `{name}`"
                )


def _data(front: Front) -> dict[str, Any]:
    return {"dataset": front.sweep.dataset} | flatten(front.sweep.spec.get("data", {}), "data.")


def _cost(fronts: Sequence[Front]) -> Cost:
    return Cost(
        trials=sum(front.cost.trials for front in fronts),
        seconds=sum(front.cost.seconds for front in fronts),
    )


def _pool(side: Side, fronts: Sequence[Front]) -> list[ComparedPoint]:
    """The trials of one side together, placed anew: front, hull and support are the side's."""
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
    return place(sorted(points, key=lambda p: (p.rate_bits is None, p.rate_bits or 0.0)))


def _against(points: list[ComparedPoint], others: list[ComparedPoint]) -> list[ComparedPoint]:
    """The points with what the other side does to them; those without a rate come last."""
    own, other = coordinates(points), coordinates(others)
    against = zip(dominated_by(own, other), dominated_depth(own, other), strict=True)
    judged = [
        point.model_copy(
            update={"dominated_by_other": bool(dominated), "dominated_bits": float(depth)}
        )
        for point, (dominated, depth) in zip(points[: len(own)], against, strict=True)
    ]
    return judged + points[len(own) :]


def _seeds(fronts: Sequence[Front]) -> tuple[int, ...]:
    """Those with a point, or whose trials all diverged; what was stopped or broke says nothing."""
    measured = {point.seed for front in fronts for point in front.points}
    diverged = {
        trial.seed for front in fronts for trial in front.failed if trial.status == "diverged"
    }
    return tuple(sorted(measured | {seed for seed in diverged if seed is not None}))


def _side(
    label: str, fronts: Sequence[Front], points: list[ComparedPoint], seeds: tuple[int, ...]
) -> ComparisonSide:
    return ComparisonSide(
        label=label,
        sweeps=tuple(front.sweep for front in fronts),
        seeds=seeds,
        on_front=sum(p.on_front for p in points),
        unsupported=sum(p.on_front and not p.supported for p in points),
    )
