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

    from paretoib.records import (
        Comparison,
        ComparisonSide,
        Front,
        Importance,
        Outcome,
        Replicates,
        Setting,
    )

Columns = dict[str, list[str]]
_UNFOLDED_WIDTH = 100_000  # characters per line


def front(front: "Front", *, trials: bool = False) -> None:
    """Print a front as a table, then how many trials were stopped or failed, with the reasons.

    If a setting has results of two seeds, a row is a setting; with `trials` every row is a trial.
    """
    sweep = front.sweep
    out = console()
    title = f"{sweep.name} ({sweep.id[:8]}): {sweep.method} on {sweep.dataset}, {sweep.status}"
    out.print(title, style="bold")
    if front.where:
        out.print(f"Only trials with {' and '.join(front.where)}.")
    if any(p.on_front for p in front.points):
        _outcomes(front, out, trials=trials)
    elif front.points:
        _without_rate(front, out, trials=trials)
    if stopped := sum(failed.status == "stopped" for failed in front.failed):
        count = "1 trial was" if stopped == 1 else f"{stopped} trials were"
        out.print(f"{count} stopped early, dominated by many others at the same epoch.")
    reasons = Counter(failed.reason for failed in front.failed if failed.status != "stopped")
    for reason, number in reasons.items():
        count = "1 trial has" if number == 1 else f"{number} trials have"
        out.print(f"{count} no result: {reason}")


def _without_rate(front: "Front", out: "Console", *, trials: bool) -> None:
    """Print the results of a sweep whose trials have no finite rate."""
    out.print("No trial has a finite rate, because the encoder has no noise. So there is no front.")
    if front.replicated and not trials:
        for setting in front.settings:
            accuracy = (
                "" if setting.accuracy is None else f", accuracy {_percent(setting, 'accuracy')}"
            )
            lost = _mean(setting, "lost_bits", 3)
            out.print(f"  {len(setting.seeds)} seeds: lost {lost} bits{accuracy}")
        return
    for point in front.points:
        accuracy = "" if point.accuracy is None else f", accuracy {_percent(point, 'accuracy')}"
        out.print(f"  seed {point.seed}: lost {point.lost_bits:.3f} bits{accuracy}")


def comparison(comparison: "Comparison") -> None:
    """Print the indicators of both sides as a table, then the verdict."""
    from paretoib.fronts import comparison_rows

    indicators = table("", _heading(comparison.left), _heading(comparison.right), "better")
    for row in comparison_rows(comparison):
        indicators.add_row(*row)
    out = console()
    if comparison.where:
        out.print(f"Only trials with {' and '.join(comparison.where)}.")
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


def _outcomes(front: "Front", out: "Console", *, trials: bool) -> None:
    """Print the trials or settings on the front, in two or three tables if one is too wide.

    Accuracies that none of them has are left out.
    """
    replicates = None if trials else front.replicates
    everything: Sequence[Outcome] = front.settings if replicates else front.points
    shown = [outcome for outcome in everything if outcome.on_front]
    rate = {"rate": [_mean(p, "rate_bits", 2) for p in shown]}
    bits = {
        "at least": [number(p.rate_lower_bits, 2) for p in shown],
        "relevance": [f"{p.relevance_bits:.3f}" for p in shown],
        "lost": [_mean(p, "lost_bits", 3) for p in shown],
    }
    accuracies = {
        "accuracy": "accuracy",
        "sampled": "accuracy_sampled",
        "one sample": "accuracy_one_sample",
    }
    percents = {
        name: [_percent(p, field) for p in shown]
        for name, field in accuracies.items()
        if any(getattr(p, field) is not None for p in shown)
    }
    selected = {"selected by β": [_beta_interval(p) for p in shown]}
    params = _varying_params(everything, shown)
    if replicates:
        params = _seed_counts(front.settings) | params
    for layout in (
        [bits | percents | selected | params],
        [bits | selected | params, percents],
        [bits | selected, percents | params],
        [bits | selected, percents, params],
    ):
        tables = [_filled(rate | columns) for columns in layout if columns]
        if all(_fits(table, out) for table in tables):
            break
    for filled in tables:
        out.print(filled)
    if replicates:
        interval = " ± half the 95 % interval" if any(s.intervals for s in front.settings) else ""
        means = f"Means over the seeds of each setting{interval}, in bits"
    else:
        means = "Bits"
    out.print(f"{means}, on the {front.split} split. {_counts(front, everything)}")
    if _trained_by_another_beta(shown):
        out.print(
            "Column `β` is the weight of the training loss. Column `selected by β` is about this "
            "front, of test measurements, so the two differ."
        )
    out.print(_hypervolume(front, replicates))
    if replicates:
        out.print("`paretoib front` shows single trials with --trials.")


def _seed_counts(settings: "Sequence[Setting]") -> Columns:
    """A column with the number of seeds of each setting on the front, of the seeds trained."""
    shown = [setting for setting in settings if setting.on_front]
    failed = any(setting.failed for setting in shown)
    return {
        "seeds": [
            f"{len(s.seeds)} of {len(s.seeds) + sum(s.failed.values())}"
            if failed
            else str(len(s.seeds))
            for s in shown
        ]
    }


def _hypervolume(front: "Front", replicates: "Replicates | None") -> str:
    rate_bits, lost_bits = front.reference.rate_bits, front.reference.lost_bits
    reference = f"the reference point at rate {rate_bits:.2f} and lost {lost_bits:.2f}"
    if not front.hypervolume:
        return f"Hypervolume 0: every point lies beyond {reference}."
    most = f"of at most {rate_bits * lost_bits:.2f}, with {reference}"
    if replicates is None:
        return f"Hypervolume {front.hypervolume:.2f} bits² {most}."
    volumes, interval = replicates.seed_hypervolumes, replicates.hypervolume_interval
    ends = f" (95 % interval {interval.low:.2f} to {interval.high:.2f})" if interval else ""
    return (
        f"Hypervolume {replicates.hypervolume_of_means:.2f} bits² {most}. The fronts of "
        f"{len(volumes)} single seeds have {sum(volumes) / len(volumes):.2f} on average{ends}; all "
        f"trials together have {front.hypervolume:.2f}."
    )


def _fits(table: "Table", out: "Console") -> bool:
    """Whether the terminal is wide enough for a table."""
    unbounded = out.options.update(width=10_000)
    return out.measure(table, options=unbounded).maximum <= out.width


def _filled(columns: Columns) -> "Table":
    filled = table(*columns)
    for row in zip(*columns.values(), strict=True):
        filled.add_row(*row)
    return filled


def _varying_params(outcomes: "Sequence[Outcome]", on_front: "Sequence[Outcome]") -> Columns:
    """A column for each parameter in which outcomes differ, with the values of `on_front`."""
    from paretoib.specs import distinct_digits, short_name

    rows = [_parameters(outcome) for outcome in outcomes]
    columns: Columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name, "") for row in rows]
        if all(value == values[0] for value in values):
            continue
        digits = distinct_digits((v for v in values if isinstance(v, float)), minimum=3)
        columns[short_name(name)] = [
            field_value(_parameters(outcome).get(name, ""), digits) for outcome in on_front
        ]
    return columns


def _parameters(outcome: "Outcome") -> dict[str, Any]:
    """The parameters of a trial or a setting, and the seed of a trial."""
    seed = getattr(outcome, "seed", None)
    return dict(outcome.params) if seed is None else {**outcome.params, "seed": seed}


def _counts(front: "Front", outcomes: "Sequence[Outcome]") -> str:
    from paretoib.fronts import format_gaps

    finite = sum(p.rate_bits is not None for p in outcomes)
    on_front = [p for p in outcomes if p.on_front]
    if outcomes is front.points:
        text = f"{len(on_front)} of {finite} trials are on the front"
    else:
        text = f"{len(on_front)} of {finite} settings are on the front of the means"
    if above := [p for p in on_front if not p.supported]:
        text += f", {len(above)} of them above its hull {format_gaps(above)}"
    return text + "."


def _trained_by_another_beta(points: "Sequence[Outcome]") -> bool:
    """Whether a point was trained with a β that does not select it."""
    for point in points:
        beta = point.params.get("weighting.beta")
        if beta is not None:
            low, high = point.beta_interval or (float("inf"), None)
            if beta < low or (high is not None and beta > high):
                return True
    return False


def _beta_interval(point: "Outcome") -> str:
    """The interval of the β that select a trial or a setting.

    For one above the hull: its hull gap in bits or, if the seeds show the gap, `none` with the
    interval of the gap.
    """
    if point.beta_interval is not None:
        low, high = point.beta_interval
        return f"{low:.2g} – {'∞' if high is None else f'{high:.2g}'}"
    if point.gap_shown and point.hull_gap_interval is not None:
        gap = point.hull_gap_interval
        return f"none (+{gap.low:.3f} – {gap.high:.3f})"
    return f"+{point.hull_gap_bits:.3f} above hull"


def _mean(outcome: "Outcome", name: str, digits: int) -> str:
    """A measure; for a setting with an interval, with half the width of the interval."""
    value = number(getattr(outcome, name), digits)
    interval = getattr(outcome, "intervals", {}).get(name)
    return (
        value if interval is None else f"{value} ± {(interval.high - interval.low) / 2:.{digits}f}"
    )


def _percent(outcome: "Outcome", name: str) -> str:
    """A share in percent, with an interval as in `_mean`."""
    share = getattr(outcome, name)
    interval = getattr(outcome, "intervals", {}).get(name)
    if share is None or interval is None:
        return "–" if share is None else f"{100 * share:.1f} %"
    return f"{100 * share:.1f} ± {50 * (interval.high - interval.low):.1f} %"
