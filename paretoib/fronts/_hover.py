"""The hover text of a trial in an interactive picture."""

from collections.abc import Mapping
from html import escape

from paretoib.fronts import _drawing as d
from paretoib.fronts._format import format_gaps, format_number
from paretoib.records import ComparedPoint, Point
from paretoib.specs import short_name

KEY_DIGITS = 12  # number of digits of a trial key in hover texts


def hover(point: Point, plane: d.Plane, labels: Mapping[str, str] | None = None) -> str:
    """Parameters and metrics of a trial, and which β selects it, in plotly's HTML.

    `labels` are the labels of the sides of a comparison.
    """
    params = [
        f"{short_name(name)} {format_number(value, 4) if isinstance(value, float) else value}"
        for name, value in point.params.items()
    ]
    lines = [f"trial {point.trial[:KEY_DIGITS]}", *params, f"seed {point.seed}", *_metrics(point)]
    if point.rate_bits is not None and point.rate_bits < plane.min_rate:
        lines.append(f"drawn at {plane.min_rate:g} bits, where the logarithmic axis begins")
    if point.rate_bits is not None and point.rate_bits > plane.max_rate:
        lines.append(f"drawn at {plane.max_rate:.3g} bits, the right edge of the picture")
    lines.append(_selection(point))
    if isinstance(point, ComparedPoint) and labels is not None:
        lines.insert(0, labels[point.side])
        if point.dominated_by_other:
            other = labels["left" if point.side == "right" else "right"]
            bits = format_number(point.dominated_bits)
            lines.append(f"dominated by {other}, by at least {bits} bits in both coordinates")
    first, *rest = map(escape, lines)
    return "<br>".join([f"<b>{first}</b>", *rest])


def _metrics(point: Point) -> list[str]:
    lines = [f"rate {format_number(point.rate_bits, 4)} bits"]
    if point.rate_lower_bits is not None:
        lines[0] += f", at least {format_number(point.rate_lower_bits, 4)}"
    relevance, lost = (format_number(bits, 4) for bits in (point.relevance_bits, point.lost_bits))
    lines.append(f"relevance {relevance} bits, lost {lost} bits")
    accuracies = {
        "accuracy": point.accuracy,
        "sampled": point.accuracy_sampled,
        "one sample": point.accuracy_one_sample,
    }
    known = {name: share for name, share in accuracies.items() if share is not None}
    if known:
        lines.append(", ".join(f"{name} {100 * share:.2f} %" for name, share in known.items()))
    return lines


def _selection(point: Point) -> str:
    """Which β selects the point, or how far the point lies above the hull."""
    if not point.on_front:
        above = format_number(point.hull_gap_bits)
        return f"dominated by its own front, {above} bits above the hull"
    if point.beta_interval is None:
        return f"above the hull {format_gaps([point])}"
    low, high = point.beta_interval
    if high is None:
        return f"selected by every β of at least {format_number(low)}"
    return f"selected by every β between {format_number(low)} and {format_number(high)}"
