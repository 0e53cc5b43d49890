"""A search over β that divides the widest gaps of the front."""

from collections.abc import Callable, Iterable
from heapq import heapify, heapreplace
from itertools import islice

import numpy as np
from jaxtyping import Float

from paretoib.search._generations import GenerationalDriver, Generations
from paretoib.search._space import value_at
from paretoib.search._values import Values, values_of

NARROW = 1 / 512  # a share of β's range; narrower intervals of β are divided last


class ByBeta(GenerationalDriver):
    """Chooses β in the widest gaps of the front, so that the front's points are evenly spaced.

    The first generation has evenly spaced β from one end of the range to the other, on the range's
    scale. Each later generation divides the widest gaps. A gap is the distance between the points
    of two neighbouring β. A point is (rate, lost) on the validation split, averaged over seeds,
    divided by the reference point and clipped at 1. The point of a β without a measurement is
    interpolated. If the front jumps at some β, no β closes the gap, so intervals of β that are
    narrower than `NARROW` are divided last.
    """

    def generations(self) -> Generations:
        spec = self.spec
        total, size = (n // len(spec.seeds) for n in (spec.trials, spec.population))
        positions, curve = np.zeros(0), np.zeros((0, 2))  # positions on β's axis, 0 … 1, sorted
        betas: set[float] = set()
        new = np.linspace(0, 1, max(2, size)).tolist()
        while new:
            new_betas = [self._beta(position) for position in new]
            betas.update(new_betas)
            records = yield [
                spec.template.with_fields({"beta": beta, "seed": seed})
                for beta in new_betas
                for seed in spec.seeds
            ]
            values = (values_of(r, ("rate", "lost"), spec.reference) for r in records)
            points = [_mean_point(islice(values, len(spec.seeds))) for _ in new]
            positions, curve = np.append(positions, new), np.vstack([curve, points])
            order = np.argsort(positions, kind="stable")
            positions, curve = positions[order], curve[order]
            count = max(1, min(size, total - len(betas)))
            new = fill_gaps(
                positions, curve, count, lambda position: self._beta(position) not in betas
            )

    def _beta(self, position: float) -> float:
        return float(value_at(self.spec.space["weighting.beta"], position))


def fill_gaps(
    positions: Float[np.ndarray, " n"],
    curve: Float[np.ndarray, "n 2"],
    count: int,
    is_new: Callable[[float], bool],
) -> list[float]:
    """Up to `count` new positions that make the widest gap of a curve as narrow as possible.

    `positions` are sorted, and `curve` has a point (or NaN) for each of them. The parts of a
    divided gap are assumed to be equal. `is_new` says whether the sweep has no trial at a position
    yet.
    """
    measured = ~np.isnan(curve[:, 0])
    gaps, widths = np.zeros(len(positions) - 1), np.diff(positions)
    if measured.any():
        rate, lost = (np.interp(positions, positions[measured], row[measured]) for row in curve.T)
        gaps = np.hypot(np.diff(rate), np.diff(lost))

    def rank(i: int, parts: int) -> tuple[bool, float, float, int]:
        """Sort key: widest gap first, then widest interval; narrow intervals come last."""
        return bool(widths[i] < parts * NARROW), -gaps[i] / parts, -widths[i] / parts, i

    order = np.lexsort((-widths, -gaps, widths < NARROW)).tolist()
    middles = (positions[:-1] + widths / 2).tolist()
    chosen = list(islice((i for i in order if is_new(middles[i])), count))
    parts = dict.fromkeys(chosen, 1)
    heap = [rank(i, 1) for i in chosen]
    heapify(heap)
    for _ in range(count if heap else 0):
        i = heap[0][-1]
        parts[i] += 1
        heapreplace(heap, rank(i, parts[i]))
    new = [float(positions[i] + widths[i] * j / n) for i, n in parts.items() for j in range(1, n)]
    # β is rounded, so the β of every new position may be known. The β of a chosen middle is not.
    return [position for position in new if is_new(position)] or [middles[i] for i in chosen]


def _mean_point(values_by_seed: Iterable[Values | None]) -> np.ndarray:
    """The mean over measured seeds, clipped at 1; NaN if no seed is measured."""
    measured = [values for values in values_by_seed if values is not None]
    return np.minimum(np.mean(measured, axis=0), 1) if measured else np.full(2, np.nan)
