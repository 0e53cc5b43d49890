"""Values, axes and ranges as text, as flags and YAML files have them.

| what | text | meaning |
|---|---|---|
| a value | `0.1`, `latent`, `[64, 128]`, `64,128` | by YAML's rules; a comma makes a list |
| an axis of a grid | `1e-5:1:16`, `log:1e-5:1:16` | 16 values in equal ratios, both ends included |
| | `lin:0:1:5` | 5 values in equal steps |
| a range of a search | `1e-5:1`, `log:1e-5:1` | any number between, on a logarithmic scale |
| | `lin:0:1` | on a linear scale |
| | `int:2:256` | any whole number between, on a linear scale |
| either | `0.1,0.2,0.5`, `[64],[64,64]` | these values |

The range of a field that takes whole numbers holds whole numbers, whatever its scale.
"""

import math
from typing import Any

import yaml

from paretoib.documents import cut

MOST_VALUES = 100_000  # of one axis


def log_spaced(low: float, high: float, count: int) -> tuple[float, ...]:
    """`count` values from `low` to `high` in equal ratios, to as few digits as tell them apart.

    There are four digits at least.
    """
    exact = [math.exp(v) for v in _even(math.log(low), math.log(high), count)]
    rounded = (tuple(float(f"{v:.{digits}g}") for v in exact) for digits in range(4, 18))
    return next((values for values in rounded if len(set(values)) == count), tuple(exact))


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
        return _listed(axis, "an axis")
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
            f"2 ≤ COUNT ≤ {MOST_VALUES}; found `{cut(axis)}`"
        )
    if linear:
        return _even(low, high, count)
    if low <= 0:
        raise ValueError(f"a log-spaced range should start above 0; found `{cut(axis)}`")
    return log_spaced(low, high, count)


def parse_range(text: str) -> dict[str, Any] | tuple[Any, ...]:
    """The fields of a `Range`, or values to choose from. Raises `ValueError` for what is neither.

    Whether the ends fit each other and their scale is for `Range` to say.
    """
    if ":" not in text:
        return _listed(text, "choices")
    kind, *ends = text.split(":") if text.count(":") == 2 else ("log", *text.split(":"))
    try:
        low, high = map(float, ends)
        scale, whole = {"log": ("log", False), "lin": ("lin", False), "int": ("lin", True)}[kind]
    except (ValueError, KeyError):
        raise ValueError(
            "a range should be LOW:HIGH or log:LOW:HIGH, lin:LOW:HIGH or int:LOW:HIGH; "
            f"found `{cut(text)}`"
        ) from None
    return {"low": low, "high": high, "scale": scale, "whole": whole}


def _listed(text: str, what: str) -> tuple[Any, ...]:
    try:
        return tuple(yaml.safe_load(f"[{text}]"))
    except yaml.YAMLError as error:
        raise ValueError(f"{what} should be values and commas; found `{cut(text)}`") from error


def _even(low: float, high: float, count: int) -> tuple[float, ...]:
    if count == 1:
        return (low,)
    return tuple(low + (high - low) * i / (count - 1) for i in range(count))
