"""Values and axes as text: `0.1`, `[64, 128]`, `1e-5:1:16`, `lin:0:1:5`, `0.1,0.2,0.5`."""

import math
from typing import Any

import yaml

MOST_VALUES = 100_000  # of one axis


def log_spaced(low: float, high: float, count: int) -> tuple[float, ...]:
    """`count` values from `low` to `high` in equal ratios, rounded to four digits."""
    return tuple(float(f"{math.exp(v):.4g}") for v in _even(math.log(low), math.log(high), count))


def parse_value(text: str) -> Any:
    """A field's value from text, by YAML's rules; a comma makes a list."""
    listed = f"[{text}]" if "," in text and not text.lstrip().startswith("[") else text
    try:
        return yaml.safe_load(listed)
    except yaml.YAMLError:
        return text


def parse_axis(axis: Any) -> Any:
    """An axis' values: LOW:HIGH:COUNT is log-spaced, lin:LOW:HIGH:COUNT even, or a list.

    Anything but text is returned as it is. Raises `ValueError` for a range that is none.
    """
    if not isinstance(axis, str):
        return axis
    if ":" not in axis:
        try:
            return tuple(yaml.safe_load(f"[{axis}]"))
        except yaml.YAMLError as error:
            raise ValueError(f"an axis should be values and commas; found `{axis}`") from error
    linear = axis.startswith("lin:")
    parts = axis.removeprefix("lin:").removeprefix("log:").split(":")
    try:
        low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
        fits = (
            len(parts) == 3
            and math.isfinite(high - low)
            and low < high
            and 2 <= count <= MOST_VALUES
        )
    except (ValueError, IndexError):
        fits = False
    if not fits:
        raise ValueError(
            "a range should be LOW:HIGH:COUNT or lin:LOW:HIGH:COUNT with LOW < HIGH and "
            f"2 ≤ COUNT ≤ {MOST_VALUES}; found `{axis}`"
        )
    if linear:
        return _even(low, high, count)
    if low <= 0:
        raise ValueError(f"a log-spaced range should start above 0; found `{axis}`")
    return log_spaced(low, high, count)


def _even(low: float, high: float, count: int) -> tuple[float, ...]:
    if count == 1:
        return (low,)
    return tuple(low + (high - low) * i / (count - 1) for i in range(count))
