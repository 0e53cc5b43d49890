"""The verdict: a few sentences about a comparison that claim no more than the data show."""

from typing import NamedTuple

from paretoib.fronts._format import format_number
from paretoib.fronts._statistics import LEVEL, MIN_SEEDS, smallest_p_value
from paretoib.records import ComparedPoint, Comparison, ComparisonSide, Interval, Side, Sides

SAME = 5e-4
"""Two hypervolumes count as equal if they differ by at most this share of the smaller one."""


def verdict(comparison: Comparison) -> str:
    """The verdict on a comparison, one sentence for each fact.

    A difference counts as shown if the Mann-Whitney test on the hypervolumes of single seeds has
    p < 0.05 and the bootstrap interval of the ratio of mean hypervolumes excludes 1. If this
    interval does not exist or begins at 0, p < 0.05 is enough. Otherwise the verdict has the words
    'no difference is shown', or 'too few seeds' if there is no test.
    """
    tested = comparison.indicators.p_value is not None
    result = _tested_result(comparison) if tested else _untested_result(comparison)
    facts = (
        f"On {comparison.dataset}, {result}",
        _diverged(comparison, "left"),
        _diverged(comparison, "right"),
        _equal_cost(comparison),
        _dominance(comparison),
        *_unsupported(comparison),
    )
    return " ".join(f"{fact}." for fact in facts if fact)


def _tested_result(c: Comparison) -> str:
    """The result of the significance test on the hypervolumes of single seeds."""
    p, ratio = c.indicators.p_value, c.indicators.intervals["hypervolume_ratio"]
    assert p is not None
    left, right = _with_seeds(c.left), _with_seeds(c.right)
    lead = _lead(c.indicators.hypervolume, left, right)
    if p < LEVEL and lead and (ratio is None or ratio.low == 0):
        # Seeds with hypervolume 0 leave no interval of the ratio, or one that begins at 0.
        return f"{lead.text}: p = {p:.2g}"
    if p < LEVEL and ratio is not None and not ratio.low <= 1 <= ratio.high:
        winner, loser = left, right
        if ratio.high < 1:
            winner, loser = right, left
            ratio = Interval(low=1 / ratio.high, high=1 / ratio.low)
        return (
            f"{winner} has {_percent(ratio.low)} to {_percent(ratio.high)} % more hypervolume than "
            f"{loser}: 95 % confidence interval, p = {p:.2g}"
        )
    interval = (
        f", and the 95 % confidence interval of their ratio is {ratio.low:.3f} to {ratio.high:.3f}"
        if ratio
        else ""
    )
    least = smallest_p_value(len(c.left.seeds), len(c.right.seeds))
    limit = f". With so few seeds, p cannot be below {least:.2g}" if least >= LEVEL else ""
    return (
        f"no difference is shown between the hypervolumes of {left} and {right}: "
        f"p = {p:.2g}{interval}{limit}"
    )


def _untested_result(c: Comparison) -> str:
    """The lead in hypervolume, without a significance test."""
    left, right = _with_seeds(c.left), _with_seeds(c.right)
    lead = _lead(c.indicators.hypervolume, left, right)
    equal = f"the hypervolumes of {left} and {right} differ by less than 0.1 %"
    return (
        f"{lead.text if lead else equal}. There are too few seeds for a significance test, which "
        f"needs {MIN_SEEDS} on each side"
    )


def _with_seeds(side: ComparisonSide) -> str:
    """The side's label with its number of seeds."""
    count = len(side.seeds)
    return f"{side.label} ({count} seed{'s' * (count != 1)})"


def _diverged(c: Comparison, side: Side) -> str | None:
    """The number of seeds with diverged trials and no point; None if there is no such seed."""
    about = c.left if side == "left" else c.right
    measured = {point.seed for point in c.points if point.side == side}
    count = len(set(about.seeds) - measured)
    if not count:
        return None
    counts = "counts" if count == 1 else "count"
    return (
        f"Because of diverged trials, {count} of {about.label}'s {len(about.seeds)} seeds {counts} "
        "with hypervolume 0"
    )


def _equal_cost(c: Comparison) -> str | None:
    """The lead at equal cost, if the other side leads in total hypervolume; otherwise None."""
    labels = c.left.label, c.right.label
    overall = _lead(c.indicators.hypervolume, *labels)
    equal = _lead(c.indicators.hypervolume_at_equal_cost, *labels)
    if overall is None or equal is None or overall.side == equal.side:
        return None
    return f"At equal cost, {equal.text}"


class _Lead(NamedTuple):
    """The side with more hypervolume, and its lead as text."""

    side: Side
    text: str


def _lead(volumes: Sides, left: str, right: str) -> _Lead | None:
    """The lead in hypervolume between sides called `left` and `right`; None if there is no lead."""
    left_volume, right_volume = volumes.left or 0.0, volumes.right or 0.0
    low, high = sorted((left_volume, right_volume))
    if high - low <= SAME * low:
        return None
    side: Side = "right" if left_volume < right_volume else "left"
    winner, loser = (left, right) if side == "left" else (right, left)
    if low == 0:
        volume = f"{format_number(high, 4)} bits²"
        return _Lead(side, f"{winner} has hypervolume {volume}, and {loser} has hypervolume 0")
    return _Lead(side, f"{winner} has {_percent(high / low)} % more hypervolume than {loser}")


def _dominance(c: Comparison) -> str:
    left = [p for p in _front(c, "left") if p.dominated_by_other]
    right = [p for p in _front(c, "right") if p.dominated_by_other]
    if not left and not right:
        return "Neither side dominates a front point of the other side"
    return (
        f"{c.left.label} dominates {_share_of_front(len(right), c.right)}, and "
        f"{c.right.label} dominates {_share_of_front(len(left), c.left)}"
    )


def _share_of_front(count: int, side: ComparisonSide) -> str:
    if count == side.on_front > 1:
        return f"all {count} of {side.label}'s front points"
    return f"{count} of {side.label}'s {side.on_front} front point{'s' * (side.on_front != 1)}"


def _unsupported(c: Comparison) -> list[str]:
    """For each side, the number of front points that no β selects, and their largest hull gap."""
    if not c.left.unsupported and not c.right.unsupported:
        return [
            "Every front point of both sides lies on the hull of its front, so some β selects it"
        ]
    return [_unsupported_of(c, "left"), _unsupported_of(c, "right")]


def _unsupported_of(c: Comparison, side: Side) -> str:
    about = c.left if side == "left" else c.right
    count = about.unsupported
    if not count:
        return f"Every front point of {about.label} lies on the hull, so some β selects it"
    gap = max(p.hull_gap_bits or 0.0 for p in _front(c, side))
    lie, them = ("lies", "it") if count == 1 else ("lie up to", "them")
    return (
        f"{_share_of_front(count, about)} {lie} {gap:.2g} bits above the hull, so no β selects "
        f"{them}"
    )


def _front(c: Comparison, side: Side) -> list[ComparedPoint]:
    return [point for point in c.points if point.side == side and point.on_front]


def _percent(ratio: float) -> str:
    percent = 100 * (ratio - 1)
    return f"{percent:.2g}" if percent < 10 else f"{percent:.0f}"
