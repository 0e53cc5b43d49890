"""The verdict: a comparison in one sentence that claims no more than the data show."""

from paretoib.fronts._statistics import LEVEL, smallest_p_value
from paretoib.records import ComparedPoint, Comparison, Interval, Side, Sides

SAME = 5e-4
"""Hypervolumes whose ratio differs from 1 by at most this are called the same, within 0.1 %."""


def verdict(comparison: Comparison) -> str:
    """The verdict on a comparison; it contains 'no difference shown' if none is shown.

    A difference counts as shown if the Mann-Whitney test on the hypervolumes of single seeds has
    p < 0.05 and the bootstrap interval of their ratio excludes 1.
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
    n, m = len(c.left.seeds), len(c.right.seeds)
    over = f"over {n} seeds each" if n == m else f"over {n} and {m} seeds"
    lead = _lead(c, c.indicators.hypervolume)
    if p < LEVEL and lead and (ratio is None or ratio.low == 0):
        # A side with a hypervolume of 0 for some seed has no useful ratio: the test decides alone.
        return f"{lead[0]} reached {lead[1]} ({over}; p = {p:.2g})"
    if p < LEVEL and ratio is not None and not ratio.low <= 1 <= ratio.high:
        if ratio.low > 1:
            winner, loser = c.left.label, c.right.label
        else:
            winner, loser = c.right.label, c.left.label
            ratio = Interval(low=1 / ratio.high, high=1 / ratio.low)
        return (
            f"{winner} reached {_percent(ratio.low)} to {_percent(ratio.high)} % more hypervolume "
            f"than {loser} (95 % interval {over}; p = {p:.2g})"
        )
    spread = f", 95 % interval of the ratio {ratio.low:.3f} to {ratio.high:.3f}" if ratio else ""
    least = smallest_p_value(n, m)
    limit = f"; with so few seeds p cannot be below {least:.2g}" if least >= LEVEL else ""
    return (
        f"no difference shown between the hypervolumes of {c.left.label} and {c.right.label} "
        f"({over}: p = {p:.2g}{spread}{limit})"
    )


def _few_seeds(c: Comparison) -> str:
    volumes = c.indicators.hypervolume
    n, m = len(c.left.seeds), len(c.right.seeds)
    words = {1: "one seed", 2: "two seeds"}
    seeds = f"from {words.get(n, f'{n} seeds')} " + (
        "each" if n == m else f"and {words.get(m, f'{m} seeds')}"
    )
    beyond = "that seed" if n == m == 1 and c.left.seeds == c.right.seeds else "those seeds"
    lead = _lead(c, volumes)
    if lead is None:
        return (
            f"{c.left.label} and {c.right.label} reached the same hypervolume, to within 0.1 %, "
            f"{seeds}: no difference shown"
        )
    winner, reached = lead
    return f"{winner} reached {reached} {seeds}: no difference shown beyond {beyond}"


def _diverged(c: Comparison, side: Side) -> str | None:
    """The number of seeds whose trials all diverged; None if there is no such seed."""
    about = c.left if side == "left" else c.right
    measured = {point.seed for point in c.points if point.side == side}
    count = len(set(about.seeds) - measured)
    if not count:
        return None
    return f"every trial of {count} of {about.label}'s {len(about.seeds)} seeds diverged"


def _equal_cost(c: Comparison) -> str | None:
    """The leader at equal cost; None unless it differs from the leader overall."""
    overall = _lead(c, c.indicators.hypervolume)
    equal = _lead(c, c.indicators.hypervolume_at_equal_cost)
    if overall is None or equal is None or overall[0] == equal[0]:
        return None
    return f"at equal cost {equal[0]} reached {equal[1]}"


def _lead(c: Comparison, volumes: Sides) -> tuple[str, str] | None:
    """(label of the side with more hypervolume, its lead as text); None if both are the same."""
    left, right = volumes.left or 0.0, volumes.right or 0.0
    winner, loser = c.left.label, c.right.label
    if left < right:
        winner, loser = loser, winner
    low, high = sorted((left, right))
    if high - low <= SAME * low:
        return None
    if low == 0:
        return winner, f"a hypervolume above 0 and {loser} none"
    return winner, f"{_percent(high / low)} % more hypervolume than {loser}"


def _dominance(c: Comparison) -> str:
    left = [p for p in _front(c, "left") if p.dominated_by_other]
    right = [p for p in _front(c, "right") if p.dominated_by_other]
    if not left and not right:
        return "neither dominates a point of the other's front"
    return (
        f"{c.left.label} dominates {len(right)} of {c.right.label}'s {c.right.on_front} front "
        f"points, {c.right.label} {len(left)} of {c.left.label}'s {c.left.on_front}"
    )


def _reach(c: Comparison) -> str:
    if not c.left.unsupported and not c.right.unsupported:
        return "every point of both fronts lies on its hull, where some β selects it"
    gap = max(p.hull_gap_bits or 0.0 for side in ("left", "right") for p in _front(c, side))
    return (
        f"{c.left.unsupported} of {c.left.label}'s and {c.right.unsupported} of "
        f"{c.right.label}'s front points lie above their own hull, by up to {gap:.2g} bits, "
        "where no β selects them"
    )


def _front(c: Comparison, side: Side) -> list[ComparedPoint]:
    return [point for point in c.points if point.side == side and point.on_front]


def _percent(ratio: float) -> str:
    percent = 100 * (ratio - 1)
    return f"{percent:.2g}" if percent < 10 else f"{percent:.0f}"
