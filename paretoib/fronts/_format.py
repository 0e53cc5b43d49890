"""Numbers, durations and costs as text."""

import json
from collections.abc import Sequence
from typing import Any

from paretoib.records import Cost, Outcome, ReferencePoint


def format_number(value: float | None, digits: int = 3) -> str:
    """A number with `digits` significant digits; a dash for None."""
    return "–" if value is None else f"{value:.{digits}g}"


def format_param(value: Any, digits: int = 4) -> str:
    """The value of a field as short text; `digits` are the significant digits of a float."""
    if isinstance(value, float):
        return format_number(value, digits)
    return json.dumps(list(value)) if isinstance(value, tuple | list) else str(value)


def format_duration(seconds: float) -> str:
    """A duration in seconds, minutes or hours, with three significant digits."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def format_cost(cost: Cost) -> str:
    """The number of trials and their training time."""
    return f"{cost.trials} trial{'s' * (cost.trials != 1)}, {format_duration(cost.seconds)}"


def format_reference(reference: ReferencePoint) -> str:
    """The coordinates of the reference point, in bits."""
    rate, lost = format_number(reference.rate_bits), format_number(reference.lost_bits)
    return f"rate {rate} bits, lost {lost} bits"


def shorten(text: str, length: int) -> str:
    """The text, cut to `length` characters with an ellipsis at the end."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def format_gaps(above: Sequence[Outcome]) -> str:
    """How far trials or settings lie above the hull, and whether the seeds show it.

    `above` are these trials or settings, at least one.
    """
    gaps = [outcome.hull_gap_bits or 0.0 for outcome in above]
    largest = f"{'by up to ' if len(gaps) > 1 else 'by '}{max(gaps):.2g} bits"
    if shown := sum(outcome.gap_shown for outcome in above):
        which = "it" if len(above) == 1 else f"{shown} of them"
        return f"{largest}, and no β selects {which}: the seeds show the gap"
    if all(outcome.hull_gap_interval is None for outcome in above):
        return f"{largest}, which may be noise with so few seeds"
    return f"{largest}, which may be noise of the seeds"
