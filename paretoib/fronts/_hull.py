"""β-reachability: the points of a front that linear scalarisation selects for some β.

For every β > 0, each minimiser of f2 + β f1 over a set lies on the lower-left part of the set's
convex hull (Das and Dennis 1997; Boyd and Vandenberghe, section 4.7).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from paretoib.fronts._dominance import finite, nondominated

TOLERANCE = 1e-9
"""A point at most this far above the hull (in bits) counts as on the hull."""


@dataclass(frozen=True)
class Reachability:
    """The hull of a set of points, and each point's relation to the hull.

    `corners` are the indices of the points at the hull's corners, and `vertices` (v, 2) their
    coordinates, in ascending order of the first coordinate. `gap[i]` is the vertical distance of
    point i above the hull. If `supported[i]`, every β in [`lowest[i]`, `highest[i]`] selects point
    i (β per unit of the first coordinate; `highest` is infinite at the leftmost corner).
    """

    corners: Int[np.ndarray, " v"]
    vertices: Float[np.ndarray, "v 2"]
    gap: Float[np.ndarray, " n"]
    supported: Bool[np.ndarray, " n"]
    lowest: Float[np.ndarray, " n"]
    highest: Float[np.ndarray, " n"]

    def interval(self, i: int) -> tuple[float, float | None] | None:
        """The lowest and highest β that select point i; None if no β does.

        The highest is None where there is no upper limit.
        """
        if not self.supported[i]:
            return None
        high = float(self.highest[i])
        return float(self.lowest[i]), high if np.isfinite(high) else None


def reachability(points: ArrayLike) -> Reachability:
    """The hull of points (f1, f2), both minimised, and each point's relation to the hull.

    A dominated point is never supported, even if it has the smallest f2, so that β = 0 selects it.
    A point on an edge between two corners is selected by a single β: minus the slope of the edge.
    """
    array = finite(points)
    front = nondominated(array)
    _, first = np.unique(array[front], axis=0, return_index=True)
    corners = _lower_left_hull(array, np.flatnonzero(front)[first])
    vertices = array[corners]
    if not len(corners):
        nothing = np.zeros(0)
        return Reachability(corners, vertices, nothing, front, nothing, nothing)
    x, y = vertices.T
    gap = np.maximum(array[:, 1] - np.interp(array[:, 0], x, y), 0.0)
    # Minus the slope of each edge, from left to right. The two edges of a corner give the ends of
    # the interval of β that selects the corner.
    slopes = np.concatenate([[np.inf], -np.diff(y) / np.diff(x), [0.0]])
    return Reachability(
        corners=corners,
        vertices=vertices,
        gap=gap,
        supported=front & (gap <= TOLERANCE),
        lowest=slopes[np.searchsorted(x, array[:, 0], side="right")],
        highest=slopes[np.searchsorted(x, array[:, 0], side="left")],
    )


def _lower_left_hull(points: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Indices of the corners of the lower hull, by a monotone chain.

    `front` are the indices of the non-dominated points, sorted by f1.
    """
    corners: list[int] = []
    for i in front:
        while len(corners) > 1 and _turn(points[corners[-2]], points[corners[-1]], points[i]) <= 0:
            corners.pop()
        corners.append(i)
    return np.array(corners, dtype=int)


def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """Positive if a → b → c turns left, as along a lower hull."""
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
