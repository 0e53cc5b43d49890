"""Parsers of values, axes and ranges that flags and YAML files give as text.

| kind | text | meaning |
|---|---|---|
| a value | `0.1`, `latent`, `[64, 128]`, `64,128` | read as YAML; commas make a list |
| an axis of a grid | `1e-5:1:16`, `log:1e-5:1:16` | 16 log-spaced values, both ends included |
| | `lin:0:1:5` | 5 evenly spaced values |
| a range of a search | `1e-5:1`, `log:1e-5:1` | any number between, on a logarithmic scale |
| | `lin:0:1` | on a linear scale |
| | `int:2:256` | any whole number between, on a linear scale |
| an axis or a range | `0.1,0.2,0.5`, `[64],[64,64]` | these values |

A range of an integer field holds whole numbers only, on either scale.
"""

import math
from collections.abc import Iterable
from typing import Any

import yaml

from paretoib.documents import load_yaml, truncate

MAX_VALUES = 100_000  # on one axis
_ALL_DIGITS = 17  # with so many digits, all floats differ


def log_spaced(low: float, high: float, count: int) -> tuple[float, ...]:
    """`count` log-spaced values from `low` to `high`, both included.

    They are rounded to the fewest digits, at least four, with which all of them differ.
    """
    exact = [math.exp(v) for v in _evenly_spaced(math.log(low), math.log(high), count)]
    digits = distinct_digits(exact)
    return tuple(float(f"{v:.{digits}g}") for v in exact)


def distinct_digits(values: Iterable[float], minimum: int = 4) -> int:
    """The fewest significant digits, at least `minimum`, with which all these values differ."""
    different = set(values)
    for digits in range(minimum, _ALL_DIGITS):
        if len({f"{value:.{digits}g}" for value in different}) == len(different):
            return digits
    return _ALL_DIGITS


def range_digits(low: float, high: float) -> int:
    """The significant digits of numbers in a range: four, and more in a narrow range.

    The range 0.50001:0.50009 has seven, because its numbers have the first four in common.
    """
    common = math.floor(math.log10(max(abs(low), abs(high)) / (high - low)))
    return min(4 + max(0, common), _ALL_DIGITS)


def parse_value(text: str) -> Any:
    """Read a field's value as YAML; commas make a list, and invalid YAML is returned as text."""
    listed = f"[{text}]" if "," in text and not text.lstrip().startswith("[") else text
    try:
        return load_yaml(listed)
    except yaml.YAMLError:
        return text


def parse_axis(axis: Any) -> Any:
    """The values of an axis from text: LOW:HIGH:COUNT, lin:LOW:HIGH:COUNT, or a list.

    The values of a list are separated by commas. A value that is not text is returned unchanged.
    Raises `ValueError` for invalid text.
    """
    if not isinstance(axis, str):
        return axis
    if ":" not in axis:
        return _listed(axis, "an axis")
    linear = axis.startswith("lin:")
    parts = axis.removeprefix("lin:").removeprefix("log:").split(":")
    try:
        low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
        valid = (
            len(parts) == 3
            and math.isfinite(high - low)
            and low < high
            and 2 <= count <= MAX_VALUES
        )
    except (ValueError, IndexError):
        valid = False
    if not valid:
        raise ValueError(
            "a range should be LOW:HIGH:COUNT or lin:LOW:HIGH:COUNT with LOW < HIGH and "
            f"2 ≤ COUNT ≤ {MAX_VALUES}; found `{truncate(axis)}`"
        )
    if linear:
        return _evenly_spaced(low, high, count)
    if low <= 0:
        raise ValueError(f"a log-spaced range should start above 0; found `{truncate(axis)}`")
    return log_spaced(low, high, count)


def parse_range(text: str) -> dict[str, Any] | tuple[Any, ...]:
    """The fields of a `Range` from text, or a tuple of choices; raises `ValueError` if invalid.

    `Range` itself checks that the ends have the right order and fit the scale.
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
            f"found `{truncate(text)}`"
        ) from None
    return {"low": low, "high": high, "scale": scale, "whole": whole}


def _listed(text: str, label: str) -> tuple[Any, ...]:
    try:
        return tuple(load_yaml(f"[{text}]"))
    except yaml.YAMLError as error:
        raise ValueError(
            f"{label} should be values separated by commas; found `{truncate(text)}`"
        ) from error


def _evenly_spaced(low: float, high: float, count: int) -> tuple[float, ...]:
    if count == 1:
        return (low,)
    return tuple(low + (high - low) * i / (count - 1) for i in range(count))
