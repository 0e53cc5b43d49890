"""Attainment over seeds in a picture: the median surface, and a band around it.

A seed attains a point of the plane if one of its trials is at least as good in rate and in lost
bits. The median surface bounds the region that half of the seeds attain. The band lies between the
regions that one seed and that all seeds attain, or with eight seeds and more a quarter and three
quarters of them (Fonseca and Fleming 1996).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from jaxtyping import Float

from paretoib.fronts._drawing import LEFT_COLOUR, RIGHT_COLOUR, Line, Plane
from paretoib.fronts._format import shorten
from paretoib.fronts._front import runs_by_seed
from paretoib.fronts._indicators import attainment_surface
from paretoib.records import ComparedPoint, Comparison, Front, Outcome, Point

BAND_COLOUR = LEFT_COLOUR
"""Colour of the band in the picture of a single front."""

MIN_SEEDS_FOR_QUARTILES = 8


@dataclass(frozen=True)
class Band:
    """The median surface, the closed outline of the band, and the label of each."""

    median: Line
    outline: Line
    median_label: str
    outline_label: str


@dataclass(frozen=True)
class SideMarks:
    """What is drawn of one side of a comparison; the label is shortened to fit a legend."""

    label: str
    colour: str
    points: list[Outcome]
    band: Band | None


def front_band(front: Front, plane: Plane) -> Band | None:
    """The band of a front; None unless a setting has results of two seeds."""
    if front.replicates is None:
        return None
    return _band(front.points, front.replicates.seeds, plane)


def sides(comparison: Comparison, shown: Sequence[Outcome], plane: Plane) -> Iterator[SideMarks]:
    """The marks of both sides; `shown` are the trials or settings of both."""
    for side, about, colour in (
        ("left", comparison.left, LEFT_COLOUR),
        ("right", comparison.right, RIGHT_COLOUR),
    ):
        settings = [s for s in comparison.settings if s.side == side]
        points: list[ComparedPoint] = [p for p in comparison.points if p.side == side]
        replicated = any(len(setting.seeds) > 1 for setting in settings)
        yield SideMarks(
            shorten(about.label, 36),
            colour,
            [outcome for outcome in shown if getattr(outcome, "side", None) == side],
            _band(points, about.seeds, plane) if replicated else None,
        )


def _band(points: Sequence[Point], seeds: Sequence[int], plane: Plane) -> Band:
    runs, count = runs_by_seed(points, seeds), len(seeds)
    quartiles = count >= MIN_SEEDS_FOR_QUARTILES
    best, worst = (ceil(count / 4), ceil(3 * count / 4)) if quartiles else (1, count)
    ends = [run[:, 0].max() for run in runs if len(run)]
    end = float(np.clip(max(ends, default=0.0), plane.min_rate, plane.max_rate))
    surfaces = [attainment_surface(runs, n) for n in (best, worst, ceil(count / 2))]
    outer, inner, median = (_steps(surface, plane, end) for surface in surfaces)
    around = [np.concatenate([outer[:, axis], inner[::-1, axis]]) for axis in (0, 1)]
    return Band(
        # The first corner of the median is at the upper edge of the picture.
        median=Line(*median[1:].T),
        outline=Line(*around),
        median_label=f"median of {count} seeds",
        outline_label=f"{'middle half' if quartiles else 'best to worst'} of {count} seeds",
    )


def _steps(surface: Float[np.ndarray, "k 2"], plane: Plane, end: float) -> Float[np.ndarray, "n 2"]:
    """The corners of a surface from the upper edge of the picture to the rate `end`.

    A surface without points lies on the upper edge.
    """
    rates = np.clip(surface[:, 0], plane.min_rate, end)
    lost = np.minimum(surface[:, 1], plane.top)
    return np.column_stack(
        [np.append(np.repeat(rates, 2), end), np.append(plane.top, np.repeat(lost, 2))]
    )
