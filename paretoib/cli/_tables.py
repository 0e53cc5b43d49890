"""Fronts and comparisons as tables that fit the terminal."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from paretoib.records import Comparison, ComparisonSide, Front, Point

Columns = dict[str, list[str]]


def front(front: "Front") -> None:
    """A front as a table: the points on it, then how many are not."""
    swept = front.sweep
    say = console()
    head = f"{swept.name} ({swept.id[:8]}): {swept.method} on {swept.dataset}, {swept.status}"
    say.print(head, style="bold")
    if any(p.on_front for p in front.points):
        _points(front, say)
    elif front.points:
        say.print("No trial has a finite rate (an encoder without noise), so there is no front.")
        for point in front.points:
            accuracy = "" if point.accuracy is None else f", accuracy {_percent(point.accuracy)}"
            say.print(f"  seed {point.seed}: lost {point.lost_bits:.3f} bits{accuracy}")
    if stopped := sum(failed.status == "stopped" for failed in front.failed):
        trials = "1 trial was" if stopped == 1 else f"{stopped} trials were"
        say.print(f"{trials} stopped early, far behind others at the same epoch.")
    reasons = Counter(failed.reason for failed in front.failed if failed.status != "stopped")
    for reason, count in reasons.items():
        trials = "1 trial has" if count == 1 else f"{count} trials have"
        say.print(f"{trials} no result: {reason}")


def comparison(comparison: "Comparison") -> None:
    """The indicators of both sides as a table, then the verdict."""
    from paretoib.fronts import comparison_rows

    indicators = table("", _heading(comparison.left), _heading(comparison.right), "better")
    for row in comparison_rows(comparison):
        indicators.add_row(*row)
    say = console()
    say.print(indicators)
    say.print(comparison.verdict)


def _heading(side: "ComparisonSide") -> str:
    """What a side is called, over the id of its sweep or how many it has."""
    which = side.sweeps[0].id[:8] if len(side.sweeps) == 1 else f"{len(side.sweeps)} sweeps"
    return side.label if which in side.label else f"{side.label}\n{which}"


def table(*names: str) -> "Table":
    """An empty table; all but a first column without a name stands to the right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in names:
        table.add_column(name, justify="right" if name else "left", overflow="fold")
    return table


def console() -> "Console":
    """Where tables go. What is printed is never markup: names are the users' own."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def number(value: float | None, digits: int) -> str:
    """A number, or a dash for one that does not exist."""
    if value is None:
        return "–"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def field_value(value: Any, digits: int = 4) -> str:
    """A field's value, as short as it can be."""
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return json.dumps(list(value)) if isinstance(value, tuple | list) else str(value)


def _points(front: "Front", say: "Console") -> None:
    points = [p for p in front.points if p.on_front]
    rate = {"rate": [f"{p.rate_bits:.2f}" for p in points]}
    measured = {
        "at least": [f"{p.rate_lower_bits:.2f}" for p in points],
        "relevance": [f"{p.relevance_bits:.3f}" for p in points],
        "lost": [f"{p.lost_bits:.3f}" for p in points],
        "accuracy": ["–" if p.accuracy is None else _percent(p.accuracy) for p in points],
        "chosen by β": [_support(p) for p in points],
    }
    told = _told_apart(front.points, points)
    whole = _filled(rate | measured | told)
    unbounded = say.options.update(width=10_000)
    if say.measure(whole, options=unbounded).maximum <= say.width:
        say.print(whole)
    else:
        say.print(_filled(rate | measured))
        say.print(_filled(rate | told))
    say.print(f"Bits, on the {front.split} split. {_counts(front)}")
    corner = front.reference
    say.print(
        f"Hypervolume {front.hypervolume:.2f} bits² of {corner.rate_bits * corner.lost_bits:.2f}, "
        f"from rate {corner.rate_bits:.2f} and lost {corner.lost_bits:.2f}."
    )


def _filled(columns: Columns) -> "Table":
    filled = table(*columns)
    for row in zip(*columns.values(), strict=True):
        filled.add_row(*row)
    return filled


def _told_apart(points: "Sequence[Point]", shown: "Sequence[Point]") -> Columns:
    """The parameters in which a sweep's points differ, of those that are shown."""
    from paretoib.specs import short_name

    rows = [{**p.params, "seed": p.seed} for p in points]
    names = dict.fromkeys(name for row in rows for name in row)
    varying = [n for n in names if len({field_value(row.get(n, "")) for row in rows}) > 1]
    return {
        short_name(name): [
            field_value({**p.params, "seed": p.seed}.get(name, ""), 3) for p in shown
        ]
        for name in varying
    }


def _counts(front: "Front") -> str:
    finite = sum(p.rate_bits is not None for p in front.points)
    on_front = sum(p.on_front for p in front.points)
    unsupported = sum(p.on_front and not p.supported for p in front.points)
    text = f"{on_front} of {finite} trials are on the front"
    if unsupported:
        text += f", {unsupported} of them above its hull, where no β selects them"
    return text + "."


def _support(point: "Point") -> str:
    if not point.supported or point.beta_interval is None:
        return f"none (+{point.hull_gap_bits:.3f})"
    low, high = point.beta_interval
    return f"{low:.2g} – {'∞' if high is None else f'{high:.2g}'}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
