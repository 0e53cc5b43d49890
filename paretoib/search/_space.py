"""A search space as a unit cube: one mapping for all searches that draw points from one."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from paretoib.specs import Choices, Range

Setting = dict[str, Any]  # values by field


class Space:
    """The fields that a search varies, each an axis of the unit cube, in their order.

    A whole number or a choice has an interval of the axis, all of the same length on its scale;
    other numbers are rounded to four digits, so that float noise in a point changes no trial.
    """

    def __init__(self, fields: Mapping[str, Range | Choices]) -> None:
        self.fields = dict(fields)
        sizes = [_size(values) for values in self.fields.values()]
        self._shape = [size for size in sizes if size is not None]
        # How many settings there are; None: too many to count, as a float is among the fields.
        self.size = math.prod(self._shape) if len(self._shape) == len(sizes) else None

    def __len__(self) -> int:
        return len(self.fields)

    def setting(self, point: Sequence[float]) -> Setting:
        """The setting at a point of the cube."""
        fields = self.fields.items()
        return {f: at(values, float(u)) for (f, values), u in zip(fields, point, strict=True)}

    def point(self, setting: Setting) -> list[float]:
        """The point of a setting; of a whole number or choice, the middle of its interval."""
        return [_of(values, setting[field]) for field, values in self.fields.items()]

    def draws(self, rng: np.random.Generator, rounds: int) -> Iterator[Setting]:
        """Settings at random: for ever, or `rounds` times all that there are, if they are few."""
        if self.size is None or self.size > 100_000:
            while True:
                yield self.setting(rng.random(len(self)).tolist())
        for _ in range(rounds):
            for index in rng.permutation(self.size):
                cell = np.unravel_index(int(index), self._shape)
                middle = [(i + 0.5) / n for i, n in zip(cell, self._shape, strict=True)]
                yield self.setting(middle)


def at(values: Range | Choices, u: float) -> Any:
    """The value at `u` of 0 … 1."""
    if not isinstance(values, Range):
        return values[min(int(u * len(values)), len(values) - 1)]
    low, high = axis_ends(values)
    number = low * (high / low) ** u if values.scale == "log" else low + (high - low) * u
    return fitted(values, number)


def fitted(values: Range, number: float) -> float | int:
    """The number of the range that stands for `number`: whole, or of four digits."""
    if values.whole:
        return int(min(max(math.floor(number + 0.5), values.low), values.high))
    return min(max(float(f"{number:.4g}"), values.low), values.high)


def axis_ends(values: Range) -> tuple[float, float]:
    """The ends of the axis; whole numbers have half a step beyond, for intervals of their own."""
    half = 0.5 if values.whole else 0.0
    return values.low - half, values.high + half


def _of(values: Range | Choices, value: Any) -> float:
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
