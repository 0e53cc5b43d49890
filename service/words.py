"""Numbers and times as the pages say them."""

from datetime import UTC, datetime

from paretoib.fronts import format_number


def digits(value: float | None, count: int = 3) -> str:
    """A number with so many digits; a dash where there is none."""
    return format_number(value, count)


def ago(when: datetime) -> str:
    """How long since."""
    seconds = max(0.0, (datetime.now(UTC) - when).total_seconds())
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"
