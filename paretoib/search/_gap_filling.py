"""A search over one field, such as β, that divides the widest gaps of the front."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from heapq import heapify, heapreplace
from itertools import islice, product

import numpy as np
from jaxtyping import Float

from paretoib.records import TrialRecord
from paretoib.search._generations import GenerationalDriver, Generations
from paretoib.search._space import Setting, position_of, value_at
from paretoib.search._values import Values, values_of
from paretoib.specs import Range, SweepSpec, TrialSpec

NARROW = 1 / 512  # a share of the field's range; narrower intervals are divided last

Place = tuple[int, float]  # the number of a curve, and a position on it


class GapFilling(GenerationalDriver):
    """Chooses values of one field in the widest gaps of the front, for an evenly spaced front.

    The field is one that moves trials along the front: β, MIB's number of iterations, or a
    preference. For each combination of the choices of the other fields, the trials form a curve.
    The first generation has evenly spaced values on each curve, from one end of the range to the
    other, on the range's scale. Each later generation divides the widest gaps of all curves. A gap
    is the distance between the points of two neighbouring values. A point is (rate, lost) on the
    validation split, averaged over seeds, divided by the reference point and clipped at 1. The
    point of a value without a measurement is interpolated. If the front jumps at some value, no
    value closes the gap, so intervals narrower than `NARROW` are divided last.

    An extension begins with the new seeds of the known settings, with the ends of a wider range and
    with evenly spaced values on new curves. Then it fills further gaps.
    """

    def generations(self) -> Generations:
        known: list[tuple[Setting, float]] = []  # the settings with trials, and their positions
        axis: Range | None = None
        for stage in self.spec.stages:
            curves = _curves(stage)
            if axis not in (None, curves[0].values):
                known = [(setting, curves[0].position_of(setting)) for setting, _ in known]
            axis = curves[0].values
            # A stage may have further seeds, so all known settings are measured again.
            points = yield from _points(stage, [setting for setting, _ in known])
            for (setting, position), point in zip(known, points, strict=True):
                curve = _curve_of(setting, curves, stage)
                curve.add(position, point, setting[curve.field])
            size, total = (n // len(stage.seeds) for n in (stage.population, stage.trials))
            new = _first_places(curves, max(2, size // len(curves)))
            while (room := total - len(known)) > 0:
                new = (new or fill_gaps(curves, max(1, min(size, room))))[:room]
                if not new:
                    break
                settings = [curves[i].setting(position) for i, position in new]
                points = yield from _points(stage, settings)
                for (i, position), setting, point in zip(new, settings, points, strict=True):
                    curves[i].add(position, point)
                    known.append((setting, position))
                new = []


@dataclass
class Curve:
    """The measured points of one curve, in the order of their positions.

    `positions` are the positions on the field's axis, 0 … 1, and `points` are (rate, lost), NaN
    for a point that is not measured. `known` are the field's values that have trials.
    """

    field: str
    values: Range
    fixed: Setting

    def __post_init__(self) -> None:
        self.positions: Float[np.ndarray, " n"] = np.zeros(0)
        self.points: Float[np.ndarray, "n 2"] = np.zeros((0, 2))
        self.known: set[float] = set()

    def setting(self, position: float) -> Setting:
        """The setting at a position."""
        return {**self.fixed, self.field: value_at(self.values, position)}

    def is_new(self, position: float) -> bool:
        """Whether no trial has the value at this position."""
        return value_at(self.values, position) not in self.known

    def position_of(self, setting: Setting) -> float:
        """The position of a setting."""
        return position_of(self.values, setting[self.field])

    def add(
        self, position: float, point: Float[np.ndarray, " 2"], value: float | None = None
    ) -> None:
        """Add a measured point.

        `value` is the field's value, by default that of the position. A value from before an
        extension may have more digits.
        """
        if value is None:
            value = value_at(self.values, position)
        if self.values.whole:
            # The position of the whole number itself, so that the middle of two is between them.
            position = position_of(self.values, value)
        index = int(np.searchsorted(self.positions, position, side="right"))
        self.positions = np.insert(self.positions, index, position)
        self.points = np.insert(self.points, index, point, axis=0)
        self.known.add(value)

    @property
    def gaps(self) -> Float[np.ndarray, " n-1"]:
        """The distance between the points of neighbouring positions; 0 if no point is measured."""
        measured = ~np.isnan(self.points[:, 0])
        if not measured.any():
            return np.zeros(max(0, len(self.positions) - 1))
        positions, known = self.positions, self.positions[measured]
        rate, lost = (np.interp(positions, known, row[measured]) for row in self.points.T)
        return np.hypot(np.diff(rate), np.diff(lost))


def fill_gaps(curves: list[Curve], count: int) -> list[Place]:
    """Up to `count` new places that make the widest gap of all curves as narrow as possible.

    The parts of a divided gap are assumed to be equal.
    """
    starts = [(c, j) for c, curve in enumerate(curves) for j in range(len(curve.positions) - 1)]
    if not starts:
        return []
    gaps = np.concatenate([curve.gaps for curve in curves])
    widths = np.concatenate([np.diff(curve.positions) for curve in curves])

    def rank(i: int, parts: int) -> tuple[bool, float, float, int]:
        """Sort key: widest gap first, then widest interval; narrow intervals come last."""
        return bool(widths[i] < parts * NARROW), -gaps[i] / parts, -widths[i] / parts, i

    def place(i: int, share: float) -> Place:
        curve, j = starts[i]
        return curve, float(curves[curve].positions[j] + widths[i] * share)

    def is_new(new: Place) -> bool:
        return curves[new[0]].is_new(new[1])

    order = np.lexsort((-widths, -gaps, widths < NARROW)).tolist()
    chosen = list(islice((i for i in order if is_new(place(i, 0.5))), count))
    parts = dict.fromkeys(chosen, 1)
    heap = [rank(i, 1) for i in chosen]
    heapify(heap)
    for _ in range(count if heap else 0):
        i = heap[0][-1]
        parts[i] += 1
        heapreplace(heap, rank(i, parts[i]))
    new = [place(i, part / n) for i, n in parts.items() for part in range(1, n)]
    # Values are rounded, so all values of the new places may be known, or two of them equal. The
    # value in the middle of a chosen gap is not known.
    return _different(curves, filter(is_new, new)) or [place(i, 0.5) for i in chosen]


def _curves(stage: SweepSpec) -> list[Curve]:
    """A curve for each combination of the choices of the other fields."""
    varied, field = stage.varied, stage.gap_field
    assert field
    values = varied[field]
    assert isinstance(values, Range)
    others = {f: choices for f, choices in varied.items() if not isinstance(choices, Range)}
    return [
        Curve(field, values, dict(zip(others, combination, strict=True)))
        for combination in product(*others.values())
    ]


def _curve_of(setting: Setting, curves: list[Curve], stage: SweepSpec) -> Curve:
    """The curve of a setting; a field that the setting lacks has the value of the template."""
    full = {field: stage.template.get(field) for field in curves[0].fixed} | setting
    return next(c for c in curves if all(full[field] == v for field, v in c.fixed.items()))


def _points(
    stage: SweepSpec, settings: list[Setting]
) -> Generator[list[TrialSpec], list[TrialRecord], list[np.ndarray]]:
    """Train the settings with all seeds; returns the mean point of each setting."""
    if not settings:
        return []
    records = yield [
        stage.template.with_fields({**setting, "seed": seed})
        for setting in settings
        for seed in stage.seeds
    ]
    values = (values_of(record, ("rate", "lost"), stage.reference) for record in records)
    return [_mean_point(islice(values, len(stage.seeds))) for _ in settings]


def _first_places(curves: list[Curve], each: int) -> list[Place]:
    """`each` evenly spaced places on every empty curve, and the missing ends of other curves."""
    places = (
        (i, u)
        for u in np.linspace(0, 1, each).tolist()
        for i, curve in enumerate(curves)
        if not curve.known or (u in (0, 1) and curve.is_new(u))
    )
    return _different(curves, places)


def _different(curves: list[Curve], places: Iterable[Place]) -> list[Place]:
    """The places, with only one of those that have the same setting."""
    by_value = {(c, value_at(curves[c].values, u)): (c, u) for c, u in places}
    return list(by_value.values())


def _mean_point(values_by_seed: Iterable[Values | None]) -> np.ndarray:
    """The mean over measured seeds, clipped at 1; NaN if no seed is measured."""
    measured = [values for values in values_by_seed if values is not None]
    return np.minimum(np.mean(measured, axis=0), 1) if measured else np.full(2, np.nan)
