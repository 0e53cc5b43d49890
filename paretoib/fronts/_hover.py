"""The hover text of a trial or a setting in an interactive picture."""

from collections.abc import Mapping
from html import escape

from paretoib.fronts import _drawing as d
from paretoib.fronts._format import format_gaps, format_number
from paretoib.records import (
    ComparedPoint,
    ComparedSetting,
    Interval,
    Outcome,
    Point,
    Setting,
)
from paretoib.specs import short_name

KEY_DIGITS = 12  # number of digits of a trial key in hover texts


def short_keys(outcome: Outcome) -> str:
    """The first digits of the keys of the trials that a mark stands for."""
    if isinstance(outcome, Setting):
        return " ".join(trial[:KEY_DIGITS] for trial in outcome.trials)
    assert isinstance(outcome, Point)
    return outcome.trial[:KEY_DIGITS]


def hover(outcome: Outcome, plane: d.Plane, labels: Mapping[str, str] | None = None) -> str:
    """Parameters and metrics of a trial or a setting, and which β selects it, in plotly's HTML.

    `labels` are the labels of the sides of a comparison.
    """
    params = [
        f"{short_name(name)} {format_number(value, 4) if isinstance(value, float) else value}"
        for name, value in outcome.params.items()
    ]
    rate = outcome.rate_bits
    lines = [*_heading(outcome, params), *_metrics(outcome)]
    if rate is not None and rate < plane.min_rate:
        lines.append(f"drawn at {plane.min_rate:g} bits, where the logarithmic axis begins")
    if rate is not None and rate > plane.max_rate:
        lines.append(f"drawn at {plane.max_rate:.3g} bits, the right edge of the picture")
    lines.append(_selection(outcome))
    if isinstance(outcome, ComparedPoint | ComparedSetting) and labels is not None:
        lines.insert(0, labels[outcome.side])
        if outcome.dominated_by_other:
            other = labels["left" if outcome.side == "right" else "right"]
            bits = format_number(outcome.dominated_bits)
            lines.append(f"dominated by {other}, by at least {bits} bits in both coordinates")
    first, *rest = map(escape, lines)
    return "<br>".join([f"<b>{first}</b>", *rest])


def _heading(outcome: Outcome, params: list[str]) -> list[str]:
    """The key of a trial and its seed, or the seeds of a setting, with the parameters."""
    if isinstance(outcome, Setting):
        seeds = ", ".join(map(str, outcome.seeds))
        number = "seed" if len(outcome.seeds) == 1 else f"mean of {len(outcome.seeds)} seeds:"
        failed = sum(outcome.failed.values())
        missing = [f"{failed} trial{'s' * (failed != 1)} without a result"] if failed else []
        return [f"{number} {seeds}", *params, *missing]
    assert isinstance(outcome, Point)
    return [f"trial {short_keys(outcome)}", *params, f"seed {outcome.seed}"]


def _metrics(outcome: Outcome) -> list[str]:
    intervals = outcome.intervals if isinstance(outcome, Setting) else {}
    lines = [f"rate {format_number(outcome.rate_bits, 4)} bits"]
    if outcome.rate_lower_bits is not None:
        lines[0] += f", at least {format_number(outcome.rate_lower_bits, 4)}"
    relevance, lost = (
        format_number(bits, 4) for bits in (outcome.relevance_bits, outcome.lost_bits)
    )
    lines.append(f"relevance {relevance} bits, lost {lost} bits")
    accuracies = {
        "accuracy": outcome.accuracy,
        "sampled": outcome.accuracy_sampled,
        "one sample": outcome.accuracy_one_sample,
    }
    known = {name: share for name, share in accuracies.items() if share is not None}
    if known:
        lines.append(", ".join(f"{name} {100 * share:.2f} %" for name, share in known.items()))
    if intervals:
        rate, lost_bits = intervals.get("rate_bits"), intervals["lost_bits"]
        ends = [] if rate is None else [f"rate {_ends(rate)}"]
        lines.append(f"95 % intervals: {', '.join([*ends, f'lost {_ends(lost_bits)}'])} bits")
    return lines


def _ends(interval: Interval) -> str:
    return f"{format_number(interval.low, 4)} to {format_number(interval.high, 4)}"


def _selection(outcome: Outcome) -> str:
    """Which β selects a trial or setting, or how far it lies above the hull."""
    if not outcome.on_front:
        above = format_number(outcome.hull_gap_bits)
        return f"dominated by its own front, {above} bits above the hull"
    if outcome.beta_interval is None:
        return f"above the hull {format_gaps([outcome])}"
    low, high = outcome.beta_interval
    if high is None:
        return f"selected by every β of at least {format_number(low)}"
    return f"selected by every β between {format_number(low)} and {format_number(high)}"
