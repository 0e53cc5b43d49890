"""β where the front is thin."""

from collections.abc import Callable, Iterable
from heapq import heapify, heapreplace
from itertools import islice

import numpy as np
from jaxtyping import Float

from paretoib.search._generations import GenerationalDriver, Generations
from paretoib.search._space import at
from paretoib.search._values import Values, values_of

NARROW = 1 / 512  # of β's range


class ByBeta(GenerationalDriver):
    """Places β where the front so far is thin, for a front of even resolution.

    The first generation has β at both ends of its range and evenly between. Each later one divides
    the widest gaps between neighbours in β, on the scale of the range. A gap is the distance of
    two points on the plane of rate and lost bits, each as a share of the corner that hypervolumes
    are measured from and cut off there, on validation, the mean of the seeds; a β without a
    measurement counts as lying between its neighbours. A gap that stays, as at a jump of the
    curve, is not divided for ever: an interval of less than `NARROW` waits for the others.
    """

    def generations(self) -> Generations:
        spec = self.spec
        total, most = (n // len(spec.seeds) for n in (spec.trials, spec.population))
        places, curve = np.zeros(0), np.zeros((0, 2))  # on β's axis, 0 … 1, in order
        betas: set[float] = set()
        new = np.linspace(0, 1, max(2, most)).tolist()
        while new:
            asked = [self._beta(place) for place in new]
            betas.update(asked)
            records = yield [
                spec.template.with_fields({"beta": beta, "seed": seed})
                for beta in asked
                for seed in spec.seeds
            ]
            values = (values_of(r, ("rate", "lost"), spec.reference) for r in records)
            points = [_point(islice(values, len(spec.seeds))) for _ in new]
            places, curve = np.append(places, new), np.vstack([curve, points])
            order = np.argsort(places, kind="stable")
            places, curve = places[order], curve[order]
            count = max(1, min(most, total - len(betas)))
            new = thin(places, curve, count, lambda place: self._beta(place) not in betas)

    def _beta(self, place: float) -> float:
        return float(at(self.spec.space["weighting.beta"], place))


def thin(
    places: Float[np.ndarray, " n"],
    curve: Float[np.ndarray, "n 2"],
    count: int,
    is_new: Callable[[float], bool],
) -> list[float]:
    """Up to `count` new places, so that the widest gap of a curve becomes as narrow as can be.

    A gap that is divided is taken to be even. Points of the curve may be NaN.
    """
    measured = ~np.isnan(curve[:, 0])
    gaps, widths = np.zeros(len(places) - 1), np.diff(places)
    if measured.any():
        axes = [np.interp(places, places[measured], axis[measured]) for axis in curve.T]
        gaps = np.hypot(np.diff(axes[0]), np.diff(axes[1]))

    def rank(i: int, parts: int) -> tuple[bool, float, float, int]:
        """The widest gap first, of equal ones the widest interval; narrow intervals last."""
        return bool(widths[i] < parts * NARROW), -gaps[i] / parts, -widths[i] / parts, i

    order = np.lexsort((-widths, -gaps, widths < NARROW)).tolist()
    middles = (places[:-1] + widths / 2).tolist()
    chosen = list(islice((i for i in order if is_new(middles[i])), count))
    parts = dict.fromkeys(chosen, 1)
    heap = [rank(i, 1) for i in chosen]
    heapify(heap)
    for _ in range(count if heap else 0):
        i = heap[0][-1]
        parts[i] += 1
        heapreplace(heap, rank(i, parts[i]))
    found = [float(places[i] + widths[i] * j / n) for i, n in parts.items() for j in range(1, n)]
    # Within the digits that β has, parts may be what there is already, where the middle is not.
    return [place for place in found if is_new(place)] or [middles[i] for i in chosen]


def _point(of_seeds: Iterable[Values | None]) -> np.ndarray:
    """The mean of the seeds that were measured, within the corner; NaN where none was."""
    measured = [values for values in of_seeds if values is not None]
    return np.minimum(np.mean(measured, axis=0), 1) if measured else np.full(2, np.nan)
