"""A comparison's numbers as words, for whatever draws a table of them."""

from paretoib.fronts._drawing import duration, number
from paretoib.records import Comparison, Interval, Sides

Line = tuple[str, str, str, str]


def indicator_lines(c: Comparison) -> list[Line]:
    """Both sides' numbers: (indicator, which way is better, left, right)."""
    i, more, less = c.indicators, "more is better", "less is better"

    def line(name: str, sense: str, sides: Sides, count: int = 3) -> Line:
        return name, sense, number(sides.left, count), number(sides.right, count)

    return [
        line("hypervolume, bits²", more, i.hypervolume, 4),
        line("hypervolume at equal cost", more, i.hypervolume_at_equal_cost, 4),
        line("additive ε, bits", less, i.epsilon),
        line("IGD+ to the common front, bits", less, i.igd_plus),
        line("share of the other front covered", more, i.coverage),
        line("mean distance above the exact curve, bits", less, i.exact_gap_bits),
        ("points on the front", "", str(c.left.on_front), str(c.right.on_front)),
        ("of these above the hull", "", str(c.left.unsupported), str(c.right.unsupported)),
        ("seeds", "", str(len(c.left.seeds)), str(len(c.right.seeds))),
        (
            "mean hypervolume of a seed, 95 % interval",
            "",
            _interval(i.intervals["hypervolume_left"]),
            _interval(i.intervals["hypervolume_right"]),
        ),
        ("trials", "", str(c.cost.left.trials), str(c.cost.right.trials)),
        ("time", "", duration(c.cost.left.seconds), duration(c.cost.right.seconds)),
    ]


def both_sides(c: Comparison) -> list[str]:
    """The numbers that belong to both sides together."""
    i = c.indicators
    rate, lost = number(c.reference.rate_bits), number(c.reference.lost_bits)
    return [
        f"hypervolume ratio {number(i.hypervolume_ratio, 4)}",
        f"95 % interval over seeds {_interval(i.intervals['hypervolume_ratio'])}",
        f"Mann–Whitney p {number(i.p_value, 2)}",
        f"largest difference of attainment {number(i.attainment_difference, 2)}",
        f"hypervolumes are below {rate} bits of rate and {lost} lost",
    ]


def _interval(interval: Interval | None) -> str:
    return "–" if interval is None else f"{number(interval.low, 4)} to {number(interval.high, 4)}"
