"""The verdict: one sentence about a comparison that claims no more than the data show."""

from typing import NamedTuple

from paretoib.fronts._statistics import LEVEL, smallest_p_value
from paretoib.records import ComparedPoint, Comparison, ComparisonSide, Interval, Side, Sides

SAME = 5e-4
"""Two hypervolumes count as the same if the larger is larger by at most this share."""


def verdict(comparison: Comparison) -> str:
    """The verdict on a comparison.

    A difference counts as shown if the Mann-Whitney test on the hypervolumes of single seeds has
    p < 0.05 and the bootstrap interval of their ratio excludes 1. Otherwise the verdict has the
    words 'no difference is shown' or, if a side has too few seeds for the test, 'too few seeds'.
    """
    tested = comparison.indicators.p_value is not None
    clauses = (
        _over_seeds(comparison) if tested else _few_seeds(comparison),
        _diverged(comparison, "left"),
        _diverged(comparison, "right"),
        _equal_cost(comparison),
        _dominance(comparison),
        _reach(comparison),
    )
    return f"On {comparison.dataset}, " + "; ".join(filter(None, clauses)) + "."


def _over_seeds(c: Comparison) -> str:
    p, ratio = c.indicators.p_value, c.indicators.intervals["hypervolume_ratio"]
    assert p is not None
    left, right = _with_seeds(c.left), _with_seeds(c.right)
    lead = _lead(c.indicators.hypervolume, left, right)
    if p < LEVEL and lead and (ratio is None or ratio.low == 0):
        # If a side has a hypervolume of 0 for some seed, the ratio says nothing.
        return f"{lead.text}: p = {p:.2g}"
    if p < LEVEL and ratio is not None and not ratio.low <= 1 <= ratio.high:
        winner, loser = left, right
        if ratio.high < 1:
            winner, loser = right, left
            ratio = Interval(low=1 / ratio.high, high=1 / ratio.low)
        return (
            f"{winner} reached {_percent(ratio.low)} to {_percent(ratio.high)} % more hypervolume "
            f"than {loser}: 95 % interval, p = {p:.2g}"
        )
    interval = f", 95 % interval of the ratio {ratio.low:.3f} to {ratio.high:.3f}" if ratio else ""
    least = smallest_p_value(len(c.left.seeds), len(c.right.seeds))
    limit = f"; with so few seeds p cannot be below {least:.2g}" if least >= LEVEL else ""
    return (
        f"no difference is shown between the hypervolumes of {left} and {right}: "
        f"p = {p:.2g}{interval}{limit}"
    )


def _few_seeds(c: Comparison) -> str:
    left, right = _with_seeds(c.left), _with_seeds(c.right)
    lead = _lead(c.indicators.hypervolume, left, right)
    result = lead.text if lead else f"{left} and {right} reached the same hypervolume within 0.1 %"
    return f"{result}; too few seeds to show a difference in general"


def _with_seeds(side: ComparisonSide) -> str:
    """The side's label with its number of seeds."""
    count = len(side.seeds)
    return f"{side.label} ({count} seed{'s' * (count != 1)})"


def _diverged(c: Comparison, side: Side) -> str | None:
    """The number of seeds whose trials all diverged; None if there is no such seed."""
    about = c.left if side == "left" else c.right
    measured = {point.seed for point in c.points if point.side == side}
    count = len(set(about.seeds) - measured)
    if not count:
        return None
    return f"all trials diverged for {count} of {about.label}'s {len(about.seeds)} seeds"


def _equal_cost(c: Comparison) -> str | None:
    """The lead at equal cost, if the other side leads without that limit; otherwise None."""
    labels = c.left.label, c.right.label
    overall = _lead(c.indicators.hypervolume, *labels)
    equal = _lead(c.indicators.hypervolume_at_equal_cost, *labels)
    if overall is None or equal is None or overall.side == equal.side:
        return None
    return f"at equal cost {equal.text}"


class _Lead(NamedTuple):
    """The side with more hypervolume, and its lead as text."""

    side: Side
    text: str


def _lead(volumes: Sides, left: str, right: str) -> _Lead | None:
    """The lead in hypervolume between sides called `left` and `right`; None if equal."""
    left_volume, right_volume = volumes.left or 0.0, volumes.right or 0.0
    low, high = sorted((left_volume, right_volume))
    if high - low <= SAME * low:
        return None
    side: Side = "right" if left_volume < right_volume else "left"
    winner, loser = (left, right) if side == "left" else (right, left)
    if low == 0:
        return _Lead(side, f"{winner} reached a hypervolume above 0 and {loser} reached 0")
    return _Lead(side, f"{winner} reached {_percent(high / low)} % more hypervolume than {loser}")


def _dominance(c: Comparison) -> str:
    left = [p for p in _front(c, "left") if p.dominated_by_other]
    right = [p for p in _front(c, "right") if p.dominated_by_other]
    if not left and not right:
        return "neither side dominates a point of the other side's front"
    return (
        f"{c.left.label} dominates {_of_front(len(right), c.right)} front points; "
        f"{c.right.label} dominates {_of_front(len(left), c.left)}"
    )


def _of_front(count: int, side: ComparisonSide) -> str:
    if count == side.on_front > 1:
        return f"all {count} of {side.label}'s"
    return f"{count} of {side.label}'s {side.on_front}"


def _reach(c: Comparison) -> str:
    if not c.left.unsupported and not c.right.unsupported:
        return "every point of both fronts lies on its front's hull, so some β selects it"
    gap = max(p.hull_gap_bits or 0.0 for side in ("left", "right") for p in _front(c, side))
    return (
        f"{c.left.unsupported} of {c.left.label}'s and {c.right.unsupported} of "
        f"{c.right.label}'s front points lie up to {gap:.2g} bits above their front's hull, so "
        "no β selects them"
    )


def _front(c: Comparison, side: Side) -> list[ComparedPoint]:
    return [point for point in c.points if point.side == side and point.on_front]


def _percent(ratio: float) -> str:
    percent = 100 * (ratio - 1)
    return f"{percent:.2g}" if percent < 10 else f"{percent:.0f}"
