"""The table of a comparison, for the terminal, the service's page and the HTML file."""

from typing import Literal, NamedTuple

from paretoib.fronts._format import format_duration, format_number, format_reference
from paretoib.records import Comparison, Interval, Sides


class ComparisonRow(NamedTuple):
    """One row of the table, as text.

    `better` says whether more or less is better; it is empty if neither is better.
    """

    label: str
    left: str
    right: str
    better: Literal["more", "less", ""] = ""


def comparison_rows(comparison: Comparison) -> list[ComparisonRow]:
    """The rows of a comparison's table, with one cell for each side."""
    indicators, cost = comparison.indicators, comparison.cost

    def indicator(
        label: str, sides: Sides, better: Literal["more", "less"], digits: int = 4
    ) -> ComparisonRow:
        left, right = (format_number(value, digits) for value in (sides.left, sides.right))
        return ComparisonRow(label, left, right, better)

    return [
        indicator("hypervolume, bits²", indicators.hypervolume, "more", 5),
        ComparisonRow(
            "mean hypervolume over seeds, 95 % confidence interval",
            _interval(indicators.intervals["hypervolume_left"]),
            _interval(indicators.intervals["hypervolume_right"]),
            "more",
        ),
        indicator(
            "hypervolume at equal cost, bits²", indicators.hypervolume_at_equal_cost, "more", 5
        ),
        indicator("additive ε, bits", indicators.epsilon, "less"),
        indicator("IGD+ to the common front, bits", indicators.igd_plus, "less"),
        indicator("coverage of the other front", indicators.coverage, "more"),
        indicator("mean gap to the exact curve, bits", indicators.exact_gap_bits, "less"),
        ComparisonRow(
            "points on the front", str(comparison.left.on_front), str(comparison.right.on_front)
        ),
        ComparisonRow(
            "points that no β selects",
            str(comparison.left.unsupported),
            str(comparison.right.unsupported),
        ),
        ComparisonRow("seeds", str(len(comparison.left.seeds)), str(len(comparison.right.seeds))),
        ComparisonRow("trials", str(cost.left.trials), str(cost.right.trials)),
        ComparisonRow(
            "training time",
            format_duration(cost.left.seconds),
            format_duration(cost.right.seconds),
        ),
    ]


def comparison_statistics(comparison: Comparison) -> list[str]:
    """The statistics of both sides together, as text; the reference point comes last."""
    indicators = comparison.indicators
    ratio = _interval(indicators.intervals["hypervolume_ratio"])
    return [
        f"hypervolume ratio {format_number(indicators.hypervolume_ratio, 4)}",
        f"95 % confidence interval of the ratio {ratio}",
        f"Mann–Whitney p {format_number(indicators.p_value, 2)}",
        f"largest difference of attainment {format_number(indicators.attainment_difference, 2)}",
        f"reference point: {format_reference(comparison.reference)}",
    ]


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return format_number(None)
    return f"{format_number(interval.low, 4)} to {format_number(interval.high, 4)}"
