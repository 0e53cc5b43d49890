"""A search space as a unit cube, for all searches that sample points."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from paretoib.specs import Choices, Range, range_digits

Setting = dict[str, Any]  # values by field


class Space:
    """The fields that a search varies; each is an axis of the unit cube.

    The choices of a field divide its axis into equal intervals. A whole number n is the interval
    from n − ½ to n + ½ on the range's scale. Other numbers are rounded to four significant digits,
    or more in a narrow range, so that floating-point noise in a point does not change a trial.
    """

    def __init__(self, fields: Mapping[str, Range | Choices]) -> None:
        self.fields = dict(fields)
        sizes = [_size(values) for values in self.fields.values()]
        self._shape = [size for size in sizes if size is not None]
        # The number of settings; None if a field is a float.
        self.size = math.prod(self._shape) if len(self._shape) == len(sizes) else None

    def __len__(self) -> int:
        return len(self.fields)

    def setting(self, point: Sequence[float]) -> Setting:
        """The setting at a point of the cube."""
        fields = self.fields.items()
        return {f: value_at(values, float(u)) for (f, values), u in zip(fields, point, strict=True)}

    def point(self, setting: Setting) -> list[float]:
        """The point of a setting; a choice is in the middle of its interval."""
        return [position_of(values, setting[field]) for field, values in self.fields.items()]

    def draws(self, rng: np.random.Generator, rounds: int) -> Iterator[Setting]:
        """Random settings: an endless sequence, or a grid if the space is finite and small.

        The grid has `size` points. All of its points are drawn in each of the `rounds`, in a new
        random order. On linear axes the grid has each setting once.
        """
        if self.size is None or self.size > 100_000:
            while True:
                yield self.setting(rng.random(len(self)).tolist())
        for _ in range(rounds):
            for index in rng.permutation(self.size):
                cell = np.unravel_index(int(index), self._shape)
                middle = [(i + 0.5) / n for i, n in zip(cell, self._shape, strict=True)]
                yield self.setting(middle)


def value_at(values: Range | Choices, u: float) -> Any:
    """The value at position `u` of the axis, 0 … 1."""
    if not isinstance(values, Range):
        return values[min(int(u * len(values)), len(values) - 1)]
    low, high = axis_ends(values)
    number = low * (high / low) ** u if values.scale == "log" else low + (high - low) * u
    return round_to_range(values, number)


def round_to_range(values: Range, number: float) -> float | int:
    """`number` as a whole number or with the digits of the range, clipped to the range."""
    if values.whole:
        return int(min(max(math.floor(number + 0.5), values.low), values.high))
    digits = range_digits(values.low, values.high)
    return min(max(float(f"{number:.{digits}g}"), values.low), values.high)


def axis_ends(values: Range) -> tuple[float, float]:
    """The ends of the axis; for whole numbers, ½ beyond the ends of the range (see `Space`)."""
    half = 0.5 if values.whole else 0.0
    return values.low - half, values.high + half


def position_of(values: Range | Choices, value: Any) -> float:
    """The position of a value on the axis, 0 … 1; the inverse of `value_at`."""
    if not isinstance(values, Range):
        return (values.index(value) + 0.5) / len(values)
    low, high = axis_ends(values)
    if values.scale == "log":
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _size(values: Range | Choices) -> int | None:
    if not isinstance(values, Range):
        return len(values)
    return int(values.high - values.low) + 1 if values.whole else None
