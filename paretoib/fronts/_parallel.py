"""Parallel coordinates: one axis for each varied field and each measure, one line for each trial.

Inselberg: The Plane with Parallel Coordinates, 1985.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from paretoib.fronts._drawing import SMALLEST_DECADE
from paretoib.fronts._format import format_number, shorten
from paretoib.records import Point
from paretoib.specs import short_name

MAX_AXES = 12
MAX_TICKS = 8  # an axis with more values has ticks at some of them only
MAX_TRIALS = 2000  # lines; with more, they cannot be told apart
COLOUR_LABEL = "colour: lost bits"
_MIN_DISTANCE = 0.04  # of two ticks


@dataclass(frozen=True)
class ParallelAxis:
    """An axis: its label, the position of each trial from 0 to 1, and (position, label) of ticks.

    The axis is logarithmic if the values are positive and span more than a factor of ten.
    """

    label: str
    positions: Float[np.ndarray, " n"]
    ticks: list[tuple[float, str]]


@dataclass(frozen=True)
class ParallelLines:
    """The axes of a picture, and the trials whose lines it shows, in the order of the positions.

    `colours` holds the position of each trial on the axis of the lost bits, from 0 to 1.
    """

    axes: list[ParallelAxis]
    points: list[Point]
    colours: Float[np.ndarray, " n"]

    @property
    def lines(self) -> Float[np.ndarray, "n axes"]:
        """The positions of each trial on all axes."""
        return np.stack([axis.positions for axis in self.axes], axis=1)


def parallel_lines(points: Sequence[Point]) -> ParallelLines | None:
    """The lines of the trials with a finite rate, fronts last; None without such a trial.

    Fields with one value for all trials have no axis. If there are more than `MAX_TRIALS` trials,
    dominated trials are left out first.
    """
    shown = sorted((p for p in points if p.rate_bits is not None), key=lambda p: p.on_front)
    shown = shown[-MAX_TRIALS:]
    if not shown:
        return None
    measures: list[tuple[str, Sequence[Any]]] = [
        ("rate, bits", [max(p.rate_bits or 0.0, 10.0**SMALLEST_DECADE) for p in shown]),
        ("lost, bits", [p.lost_bits for p in shown]),
        ("accuracy", [p.accuracy for p in shown]),
    ]
    measured = [(label, values) for label, values in measures if None not in values]
    fields = _fields(shown)[: MAX_AXES - len(measured)]
    axes = [_axis(label, values) for label, values in (*fields, *measured)]
    return ParallelLines(axes, shown, axes[len(fields) + 1].positions)


def _fields(points: Sequence[Point]) -> list[tuple[str, list[Any]]]:
    """(label, values) of the fields that differ between trials and that all trials have."""
    names = dict.fromkeys(name for point in points for name in point.params)
    values = {name: [p.params[name] for p in points] for name in names if _all_have(points, name)}
    columns = [(short_name(name), column) for name, column in values.items()]
    # Seeds are names, not amounts.
    columns.append(("seed", [str(point.seed) for point in points]))
    return [column for column in columns if len(set(map(json.dumps, column[1]))) > 1]


def _all_have(points: Sequence[Point], name: str) -> bool:
    return all(name in point.params for point in points)


def _axis(label: str, values: Sequence[Any]) -> ParallelAxis:
    label = shorten(label, 24)
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return _axis_of_choices(label, values)
    numbers = np.array(values, dtype=float)
    low, high = numbers.min(), numbers.max()
    if low == high:
        return ParallelAxis(label, np.full(len(numbers), 0.5), [(0.5, format_number(low))])
    log = low > 0 and high > 10 * low
    scaled = np.log10(numbers) if log else numbers
    low, high = scaled.min(), scaled.max()
    positions = (scaled - low) / (high - low)
    shares = np.unique(positions)
    if len(shares) > MAX_TICKS or np.diff(shares).min() < _MIN_DISTANCE:
        shares = np.linspace(0, 1, 5)
    at = low + shares * (high - low)
    labels = map(format_number, 10**at if log else at)
    return ParallelAxis(label, positions, [*zip(shares.tolist(), labels, strict=True)])


def _axis_of_choices(label: str, values: Sequence[Any]) -> ParallelAxis:
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    choices = sorted(set(texts), key=lambda text: (len(text), text))
    place = {choice: i / max(1, len(choices) - 1) for i, choice in enumerate(choices)}
    step = -(-len(choices) // MAX_TICKS)
    ticks = [(place[choice], shorten(choice, 16)) for choice in choices[::step]]
    return ParallelAxis(label, np.array([place[text] for text in texts]), ticks)
