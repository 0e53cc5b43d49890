"""The hypervolume of a front over trials and over training time."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from paretoib.fronts._dominance import nondominated
from paretoib.fronts._indicators import hypervolume
from paretoib.records import HypervolumeCurve, Metrics, Outcome, ReferencePoint, TrialRecord


class GrowingFront:
    """The hypervolume of a running sweep's front, updated with each trial that ends."""

    def __init__(self, reference: ReferencePoint) -> None:
        self._corner = reference.rate_bits, reference.lost_bits
        self._front: Float[np.ndarray, "n 2"] = np.zeros((0, 2))
        self._hypervolume = 0.0

    def add(self, record: TrialRecord) -> float:
        """Add a trial and return the new hypervolume in bits²."""
        return self.add_measured(record.test)

    def add_measured(self, measured: Metrics | Outcome | None) -> float:
        """Add what was measured of a trial, or None, and return the new hypervolume in bits²."""
        if measured is not None and measured.rate_bits is not None:
            point = np.array([measured.rate_bits, measured.lost_bits])
            if not np.any(np.all(self._front <= point, axis=1)):
                points = np.concatenate([self._front, point[None]])
                self._front = points[nondominated(points)]
                self._hypervolume = hypervolume(self._front, self._corner)
        return self._hypervolume


def hypervolume_curve(
    trials: Iterable[tuple[int, float, Outcome | None]], reference: ReferencePoint
) -> HypervolumeCurve:
    """The curve of trials, each as (ended trials, own training time in seconds, result or None).

    The trials are in the order in which they ended. The first number is that of all trials of the
    sweep, so it has gaps if some trials are left out.
    """
    growing, spent = GrowingFront(reference), 0.0
    counts, seconds, volumes = [], [], []
    for count, own_seconds, outcome in trials:
        spent += own_seconds
        counts.append(count)
        seconds.append(spent)
        volumes.append(growing.add_measured(outcome))
    return HypervolumeCurve(
        trials=tuple(counts), seconds=tuple(seconds), hypervolume=tuple(volumes)
    )
