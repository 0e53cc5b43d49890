"""Numbers, durations and costs as text."""

from paretoib.records import Cost, ReferencePoint


def format_number(value: float | None, digits: int = 3) -> str:
    """A number with `digits` significant digits; a dash for None."""
    return "–" if value is None else f"{value:.{digits}g}"


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
