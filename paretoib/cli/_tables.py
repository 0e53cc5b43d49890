"""Fronts and comparisons as tables that fit the terminal."""

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from paretoib.records import Comparison, ComparisonSide, Front, Importance, Point

Columns = dict[str, list[str]]
_UNFOLDED_WIDTH = 100_000  # characters per line


def front(front: "Front") -> None:
    """Print a front as a table, then how many trials were stopped or failed, with the reasons."""
    sweep = front.sweep
    out = console()
    title = f"{sweep.name} ({sweep.id[:8]}): {sweep.method} on {sweep.dataset}, {sweep.status}"
    out.print(title, style="bold")
    if any(p.on_front for p in front.points):
        _points(front, out)
    elif front.points:
        out.print(
            "No trial has a finite rate, because the encoder has no noise. So there is no front."
        )
        for point in front.points:
            accuracy = "" if point.accuracy is None else f", accuracy {_percent(point.accuracy)}"
            out.print(f"  seed {point.seed}: lost {point.lost_bits:.3f} bits{accuracy}")
    if stopped := sum(failed.status == "stopped" for failed in front.failed):
        trials = "1 trial was" if stopped == 1 else f"{stopped} trials were"
        out.print(f"{trials} stopped early, dominated by many others at the same epoch.")
    reasons = Counter(failed.reason for failed in front.failed if failed.status != "stopped")
    for reason, count in reasons.items():
        trials = "1 trial has" if count == 1 else f"{count} trials have"
        out.print(f"{trials} no result: {reason}")


def comparison(comparison: "Comparison") -> None:
    """Print the indicators of both sides as a table, then the verdict."""
    from paretoib.fronts import comparison_rows

    indicators = table("", _heading(comparison.left), _heading(comparison.right), "better")
    for row in comparison_rows(comparison):
        indicators.add_row(*row)
    out = console()
    out.print(indicators)
    out.print(comparison.verdict)


def importance(importance: "Importance") -> None:
    """Print the share of each field in the variance of each measure, or why there are none."""
    out = console()
    if importance.reason:
        out.print(f"no importance: {importance.reason}")
        return
    shares = table("", *importance.shares)
    for name, values in importance.rows:
        shares.add_row(name, *(f"{100 * value:.0f} %" for value in values))
    out.print(shares)
    out.print(f"Share of the variance among {importance.trials} trials (functional ANOVA).")


def _heading(side: "ComparisonSide") -> str:
    """The label of a side above the id of its sweep, or above the number of its sweeps."""
    sweeps = side.sweeps[0].id[:8] if len(side.sweeps) == 1 else f"{len(side.sweeps)} sweeps"
    return side.label if sweeps in side.label else f"{side.label}\n{sweeps}"


def table(*names: str) -> "Table":
    """An empty table; columns are right-aligned, except those with an empty name."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in names:
        table.add_column(name, justify="right" if name else "left", overflow="fold")
    return table


def console() -> "Console":
    """A console without markup: users' names may contain square brackets.

    Lines are folded for a terminal only, so that `paretoib list | grep NAME` finds whole lines.
    """
    from rich.console import Console

    class PlainConsole(Console):
        """Raises `BrokenPipeError`, which `main` handles; rich would exit with code 1."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    folded = sys.stdout.isatty() or "COLUMNS" in os.environ
    width = None if folded else _UNFOLDED_WIDTH
    return PlainConsole(highlight=False, markup=False, emoji=False, width=width)


def number(value: float | None, digits: int) -> str:
    """A number as text, a float with `digits` decimals; a dash for None."""
    if value is None:
        return "–"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def field_value(value: Any, digits: int = 4) -> str:
    """The value of a spec's field as short text; `digits` are the significant digits of a float."""
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return json.dumps(list(value)) if isinstance(value, tuple | list) else str(value)


def _points(front: "Front", out: "Console") -> None:
    """Print the points on the front, in two tables if one is too wide for the terminal.

    Accuracies that no point has are left out.
    """
    points = [p for p in front.points if p.on_front]
    rate = {"rate": [f"{p.rate_bits:.2f}" for p in points]}
    bits = {
        "at least": [f"{p.rate_lower_bits:.2f}" for p in points],
        "relevance": [f"{p.relevance_bits:.3f}" for p in points],
        "lost": [f"{p.lost_bits:.3f}" for p in points],
    }
    accuracies = {
        "accuracy": [p.accuracy for p in points],
        "sampled": [p.accuracy_sampled for p in points],
        "one sample": [p.accuracy_one_sample for p in points],
    }
    percents = {
        name: [_percent(share) for share in shares]
        for name, shares in accuracies.items()
        if any(share is not None for share in shares)
    }
    selected = {"selected by β": [_beta_interval(p) for p in points]}
    params = _varying_params(front.points, points)
    for layout in (
        [bits | percents | selected | params],
        [bits | selected | params, percents],
        [bits | selected, percents | params],
    ):
        tables = [_filled(rate | columns) for columns in layout if columns]
        if all(_fits(table, out) for table in tables):
            break
    for filled in tables:
        out.print(filled)
    out.print(f"Bits, on the {front.split} split. {_counts(front)}")
    if _trained_by_another_beta(points):
        out.print(
            "Column `β` is the weight of the training loss. Column `selected by β` is about this "
            "front, of test measurements, so the two differ."
        )
    rate_bits, lost_bits = front.reference.rate_bits, front.reference.lost_bits
    reference = f"the reference point at rate {rate_bits:.2f} and lost {lost_bits:.2f}"
    if front.hypervolume:
        volume = f"{front.hypervolume:.2f} bits² of at most {rate_bits * lost_bits:.2f}, with"
    else:
        volume = "0: every point lies beyond"
    out.print(f"Hypervolume {volume} {reference}.")


def _fits(table: "Table", out: "Console") -> bool:
    """Whether the terminal is wide enough for a table."""
    unbounded = out.options.update(width=10_000)
    return out.measure(table, options=unbounded).maximum <= out.width


def _filled(columns: Columns) -> "Table":
    filled = table(*columns)
    for row in zip(*columns.values(), strict=True):
        filled.add_row(*row)
    return filled


def _varying_params(points: "Sequence[Point]", on_front: "Sequence[Point]") -> Columns:
    """A column for each parameter in which `points` differ, with the values of `on_front`."""
    from paretoib.specs import distinct_digits, short_name

    rows = [{**p.params, "seed": p.seed} for p in points]
    columns: Columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name, "") for row in rows]
        if all(value == values[0] for value in values):
            continue
        digits = distinct_digits((v for v in values if isinstance(v, float)), minimum=3)
        columns[short_name(name)] = [
            field_value({**p.params, "seed": p.seed}.get(name, ""), digits) for p in on_front
        ]
    return columns


def _counts(front: "Front") -> str:
    from paretoib.fronts import format_gaps

    finite = sum(p.rate_bits is not None for p in front.points)
    on_front = [p for p in front.points if p.on_front]
    text = f"{len(on_front)} of {finite} trials are on the front"
    if above := [p for p in on_front if not p.supported]:
        text += f", {len(above)} of them above its hull {format_gaps(above)}"
    return text + "."


def _trained_by_another_beta(points: "Sequence[Point]") -> bool:
    """Whether a point was trained with a β that does not select it."""
    for point in points:
        beta = point.params.get("weighting.beta")
        if beta is not None:
            low, high = point.beta_interval or (float("inf"), None)
            if beta < low or (high is not None and beta > high):
                return True
    return False


def _beta_interval(point: "Point") -> str:
    """The interval of the β that select a point.

    For a point above the hull: its hull gap in bits or, if the seeds show the gap, `none` with the
    interval of the gap.
    """
    if point.beta_interval is not None:
        low, high = point.beta_interval
        return f"{low:.2g} – {'∞' if high is None else f'{high:.2g}'}"
    if point.gap_shown and point.hull_gap_interval is not None:
        gap = point.hull_gap_interval
        return f"none (+{gap.low:.3f} – {gap.high:.3f})"
    return f"+{point.hull_gap_bits:.3f} above hull"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"
