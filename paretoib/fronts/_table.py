"""The table of a comparison, for the terminal, the service's page and the HTML file."""

from typing import Literal, NamedTuple, get_args

from paretoib.fronts._format import format_duration, format_number, format_reference
from paretoib.records import Comparison, Indicators, Interval, Side, Sides

Better = Literal["more", "less", ""]


class ComparisonRow(NamedTuple):
    """One row of the table, as text.

    `better` says whether more or less is better; it is empty if neither is better.
    """

    label: str
    left: str
    right: str
    better: Better = ""


def comparison_rows(comparison: Comparison) -> list[ComparisonRow]:
    """The rows of a comparison's table, with one cell for each side.

    If one side has the distance of its points to the other front, rows that reward a spread along
    the front are left out. The row for equal cost is left out if it has no values.
    """
    indicators, cost = comparison.indicators, comparison.cost
    left, right = comparison.left, comparison.right
    quality = _distance_rows(indicators) or _spread_rows(indicators)
    return [
        *quality,
        _indicator("coverage of the other front", indicators.coverage, "more"),
        _indicator("mean gap to the exact curve, bits", indicators.exact_gap_bits, "less"),
        ComparisonRow("points on the front", str(left.on_front), str(right.on_front)),
        ComparisonRow("points above the hull", str(left.unsupported), str(right.unsupported)),
        ComparisonRow(
            "points that no β selects",
            format_number(left.gaps_shown),
            format_number(right.gaps_shown),
        ),
        ComparisonRow("seeds", str(len(left.seeds)), str(len(right.seeds))),
        ComparisonRow("trials", str(cost.left.trials), str(cost.right.trials)),
        ComparisonRow(
            "training time",
            format_duration(cost.left.seconds),
            format_duration(cost.right.seconds),
        ),
    ]


def _distance_rows(indicators: Indicators) -> list[ComparisonRow]:
    """The distance of one side's points to the other front; empty if no side has it."""

    def row(label: str, name: str) -> ComparisonRow:
        cells = []
        for side in get_args(Side):
            distance = indicators.front_distances.get(side)
            cells.append(
                format_number(None)
                if distance is None
                else _with_interval(
                    getattr(distance, f"{name}_bits"), getattr(distance, f"{name}_interval")
                )
            )
        return ComparisonRow(label, cells[0], cells[1], "less")

    if not indicators.front_distances:
        return []
    return [
        row("mean additive ε behind the other front, bits", "epsilon"),
        row("mean gap above the other hull, bits", "hull_gap"),
    ]


def _spread_rows(indicators: Indicators) -> list[ComparisonRow]:
    """The indicators that reward a front for its spread."""
    rows = [
        _indicator("hypervolume, bits²", indicators.hypervolume, "more", 5),
        ComparisonRow(
            "mean hypervolume over seeds, 95 % confidence interval",
            _interval(indicators.intervals["hypervolume_left"]),
            _interval(indicators.intervals["hypervolume_right"]),
            "more",
        ),
    ]
    at_equal_cost = indicators.hypervolume_at_equal_cost
    if at_equal_cost.left is not None:
        rows.append(_indicator("hypervolume at equal cost, bits²", at_equal_cost, "more", 5))
    return [
        *rows,
        _indicator("additive ε, bits", indicators.epsilon, "less"),
        _indicator("IGD+ to the common front, bits", indicators.igd_plus, "less"),
    ]


def comparison_statistics(comparison: Comparison) -> list[str]:
    """The statistics of both sides together, as text; the reference point comes last."""
    indicators = comparison.indicators
    ratio = _interval(indicators.intervals["hypervolume_ratio"])
    of_hypervolumes = [
        f"hypervolume ratio {format_number(indicators.hypervolume_ratio, 4)}",
        f"95 % confidence interval of the ratio {ratio}",
        f"Mann–Whitney p {format_number(indicators.p_value, 2)}",
    ]
    return [
        *([] if indicators.front_distances else of_hypervolumes),
        f"largest difference of attainment {format_number(indicators.attainment_difference, 2)}",
        f"reference point: {format_reference(comparison.reference)}",
    ]


def _indicator(label: str, sides: Sides, better: Better, digits: int = 4) -> ComparisonRow:
    left, right = (format_number(value, digits) for value in (sides.left, sides.right))
    return ComparisonRow(label, left, right, better)


def _with_interval(value: float | None, interval: Interval | None) -> str:
    text = format_number(value)
    return text if interval is None else f"{text} ({_interval(interval, 3)})"


def _interval(interval: Interval | None, digits: int = 4) -> str:
    if interval is None:
        return format_number(None)
    return f"{format_number(interval.low, digits)} to {format_number(interval.high, digits)}"
