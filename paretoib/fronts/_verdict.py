"""The verdict: a few sentences about a comparison that claim no more than the data show."""

from collections.abc import Sequence
from itertools import count, product
from typing import NamedTuple, get_args

from paretoib.fronts._format import format_gaps, format_number
from paretoib.fronts._statistics import LEVEL, MIN_SEEDS, smallest_p_value
from paretoib.records import (
    ComparedPoint,
    Comparison,
    ComparisonSide,
    FrontDistance,
    Interval,
    Side,
    Sides,
)

SAME = 5e-4
"""Two hypervolumes count as equal if they differ by at most this share of the smaller one."""


def verdict(comparison: Comparison) -> str:
    """The verdict on a comparison, one sentence for each fact.

    A difference counts as shown if the Mann-Whitney test on the hypervolumes of single seeds has
    p < 0.05 and the bootstrap interval of the ratio of mean hypervolumes excludes 1. If there is no
    such interval, because a seed has hypervolume 0, p < 0.05 is enough. Otherwise the verdict has
    the words 'no difference is shown'.

    If seeds are too few for a test, or for p < 0.05, the verdict says which seeds allow a test. It
    also says if one side is then behind in every pair of seeds. If no side is, and there is no
    test, the verdict has the lead in hypervolume without a test. A lead at equal cost is never
    tested.

    If the weighting of one side has no field that moves along the front, the verdict has the
    distance of its points to the other front in place of hypervolumes.
    """
    facts = (
        f"On {comparison.dataset}, {_result(comparison)}",
        _diverged(comparison, "left"),
        _diverged(comparison, "right"),
        _equal_cost(comparison),
        _dominance(comparison),
        *_unsupported(comparison),
        _seeds_needed(comparison),
    )
    return " ".join(f"{fact}." for fact in facts if fact)


def _result(c: Comparison) -> str:
    for side, distance in c.indicators.front_distances.items():
        return _distance_result(c, side, distance)
    if c.indicators.p_value is None:
        return _untested_result(c)
    behind = _behind_in_every_pair(c) if _too_few_seeds(c) else None
    return f"{behind}. {_smallest_p(c)}" if behind else _tested_result(c)


def _distance_result(c: Comparison, side: Side, distance: FrontDistance) -> str:
    """The distance of one side's points to the front and the hull of the other side."""
    about, other = (c.left, c.right) if side == "left" else (c.right, c.left)
    text = (
        f"the points of {_with_seeds(about)} lie on average "
        f"{_signed(distance.epsilon_bits, distance.epsilon_interval, ('behind', 'ahead of'))} the "
        f"front of {_with_seeds(other)}"
    )
    if distance.hull_gap_bits is not None:
        gap = _signed(distance.hull_gap_bits, distance.hull_gap_interval, ("above", "below"))
        text += f", and {gap} its hull"
    return (
        f"{text}. The weighting of {about.label} has no field that moves along the front, so "
        "hypervolumes are not compared"
    )


def _signed(bits: float, interval: Interval | None, words: tuple[str, str]) -> str:
    """A distance with its interval, and the word for its sign; noise if the interval contains 0."""
    found = f"{format_number(abs(bits))} bits"
    if interval is not None:
        ends = sorted(
            (interval.low, interval.high) if bits >= 0 else (-interval.low, -interval.high)
        )
        low, high = map(format_number, ends)
        noise = "; may be noise" if interval.low <= 0 <= interval.high else ""
        found += f" (95 % confidence interval {low} to {high}{noise})"
    return f"{found} {words[bits < 0]}"


def _tested_result(c: Comparison) -> str:
    """The result of the significance test on the hypervolumes of single seeds."""
    p, ratio = c.indicators.p_value, c.indicators.intervals["hypervolume_ratio"]
    assert p is not None
    left, right = _with_seeds(c.left), _with_seeds(c.right)
    if p < LEVEL and ratio is None:
        return f"{_lead_in_pairs(c)}: p = {p:.2g}"
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
    limit = f". {_smallest_p(c)}" if _too_few_seeds(c) else ""
    return (
        f"no difference is shown between the hypervolumes of {left} and {right}: "
        f"p = {p:.2g}{interval}{limit}"
    )


def _lead_in_pairs(c: Comparison) -> str:
    """In how many pairs of seeds the side that is ahead in most of them has more hypervolume."""
    volumes = c.indicators.seed_hypervolumes
    sides = [(_with_seeds(c.left), volumes["left"]), (_with_seeds(c.right), volumes["right"])]
    orders = sides, sides[::-1]
    counts = [sum(a > b for a, b in product(one[1], two[1])) for one, two in orders]
    (ahead, _), (behind, _) = orders[counts[1] > counts[0]]
    pairs = len(c.left.seeds) * len(c.right.seeds)
    return f"{ahead} has more hypervolume than {behind} in {max(counts)} of {pairs} pairs of seeds"


def _untested_result(c: Comparison) -> str:
    """The lead in hypervolume, without a significance test."""
    if behind := _behind_in_every_pair(c):
        return behind
    left, right = _with_seeds(c.left), _with_seeds(c.right)
    lead = _lead(c.indicators.hypervolume, left, right)
    if lead is None:
        return f"the hypervolumes of {left} and {right} differ by less than 0.1 %"
    pairs = len(c.left.seeds) * len(c.right.seeds)
    return f"{lead.text}{', but not in every pair of seeds' if pairs > 1 else ''}"


def _behind_in_every_pair(c: Comparison) -> str | None:
    """That every seed of one side has less hypervolume than every seed of the other; or None.

    Also None for a single pair of seeds.
    """
    volumes = c.indicators.seed_hypervolumes
    sides = (c.left, volumes["left"]), (c.right, volumes["right"])
    (worse, low), (better, high) = sorted(sides, key=lambda side: max(side[1]))
    if max(low) >= min(high) or len(low) * len(high) == 1:
        return None
    return (
        f"{_with_seeds(worse)} is behind {_with_seeds(better)} in every pair of seeds, with a "
        f"hypervolume of {_range(low)} against {_range(high)} bits²"
    )


def _range(values: Sequence[float]) -> str:
    low, high = (format_number(value, 4) for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _smallest_p(c: Comparison) -> str:
    least = smallest_p_value(len(c.left.seeds), len(c.right.seeds))
    return f"With so few seeds, p cannot be below {least:.2g}"


def _too_few_seeds(c: Comparison) -> bool:
    """Whether no test can show a difference with these numbers of seeds."""
    left, right = len(c.left.seeds), len(c.right.seeds)
    return min(left, right) < MIN_SEEDS or smallest_p_value(left, right) >= LEVEL


def _seeds_needed(c: Comparison) -> str | None:
    """The seeds that allow a test, or an interval of the distance; None if they are there."""
    for side in c.indicators.front_distances:
        about = c.left if side == "left" else c.right
        if len(about.seeds) >= MIN_SEEDS:
            return None
        return f"An interval needs `{_seeds_flag(MIN_SEEDS)}` for {about.label}"
    if not _too_few_seeds(c):
        return None
    enough = next(n for n in count(MIN_SEEDS) if smallest_p_value(n, n) < LEVEL)
    return f"Testing needs `{_seeds_flag(enough)}` on both sides"


def _seeds_flag(number: int) -> str:
    return f"--seeds {','.join(map(str, range(number)))}"


def _with_seeds(side: ComparisonSide) -> str:
    """The side's label with its number of seeds."""
    number = len(side.seeds)
    return f"{side.label} ({number} seed{'s' * (number != 1)})"


def _diverged(c: Comparison, side: Side) -> str | None:
    """The number of seeds with diverged trials and no point; None if there is no such seed."""
    about = c.left if side == "left" else c.right
    measured = {point.seed for point in c.points if point.side == side}
    number = len(set(about.seeds) - measured)
    if not number:
        return None
    seeds = f"Because of diverged trials, {number} of {about.label}'s {len(about.seeds)} seeds"
    if c.indicators.front_distances:
        return f"{seeds} {'has' if number == 1 else 'have'} no point"
    return f"{seeds} {'counts' if number == 1 else 'count'} with hypervolume 0"


def _equal_cost(c: Comparison) -> str | None:
    """The lead at equal cost, if the other side leads in total hypervolume; otherwise None."""
    if c.indicators.front_distances or c.indicators.hypervolume_at_equal_cost.left is None:
        return None
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


def _share_of_front(number: int, side: ComparisonSide) -> str:
    if number == side.on_front > 1:
        return f"all {number} of {side.label}'s front points"
    return f"{number} of {side.label}'s {side.on_front} front point{'s' * (side.on_front != 1)}"


def _unsupported(c: Comparison) -> list[str]:
    """For each side, the number of front points above its hull, and whether seeds show a gap.

    A side whose weighting has no field that moves along the front has no hull of interest.
    """
    sides: list[Side] = [s for s in get_args(Side) if s not in c.indicators.front_distances]
    if len(sides) == 2 and not c.left.unsupported and not c.right.unsupported:
        return [
            "Every front point of both sides lies on the hull of its front, so some β selects it"
        ]
    return [_unsupported_of(c, side) for side in sides]


def _unsupported_of(c: Comparison, side: Side) -> str:
    about = c.left if side == "left" else c.right
    above = [point for point in _front(c, side) if not point.supported]
    if not above:
        return f"Every front point of {about.label} lies on the hull, so some β selects it"
    lie = "lies" if len(above) == 1 else "lie"
    return f"{_share_of_front(len(above), about)} {lie} above the hull {format_gaps(above)}"


def _front(c: Comparison, side: Side) -> list[ComparedPoint]:
    return [point for point in c.points if point.side == side and point.on_front]


def _percent(ratio: float) -> str:
    percent = 100 * (ratio - 1)
    return f"{percent:.2g}" if percent < 10 else f"{percent:.0f}"
