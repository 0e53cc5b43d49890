"""Hull gaps over seeds: whether a setting lies above the hull by more than the noise of seeds.

The noise of seeds lifts points above the hull, most of all where the front is straight: the hull
runs through the lowest points. It lifts means over seeds too. Therefore the gap of each seed is
measured from a chord that the other seeds choose, and Student's interval is computed for the mean
of these gaps. On a straight front, which is the worst case, the interval lies above 0 for 2 to 4 %
of the settings with three to eight seeds. A bootstrap interval of the gap between the means lies
above 0 for 40 % of them.
"""

from collections.abc import Hashable, Mapping

import numpy as np
from jaxtyping import Float

from paretoib.fronts._hull import reachability
from paretoib.fronts._settings import SeedPoints
from paretoib.fronts._statistics import MIN_SEEDS, student_interval
from paretoib.records import Interval


class GapIntervals:
    """The interval of each setting's gap above the hull of the other settings, in bits."""

    def __init__(self, settings: Mapping[Hashable, SeedPoints]) -> None:
        self._settings = settings
        self._known: dict[Hashable, Interval | None] = {}
        self._stacks: dict[tuple[int, ...], dict[Hashable, Float[np.ndarray, "seeds 2"]]] = {}

    def of(self, key: Hashable) -> Interval | None:
        """The interval of the setting with this key.

        Another setting is left out unless it has all seeds of this one. The result is None with
        fewer than three seeds. It is also None if there is no chord for one of the seeds, because
        no other setting has a lower rate in the mean over the remaining seeds.
        """
        if key not in self._known:
            self._known[key] = self._interval(key)
        return self._known[key]

    def _interval(self, key: Hashable) -> Interval | None:
        seeds = tuple(sorted(self._settings[key]))
        if len(seeds) < MIN_SEEDS:
            return None
        points = self._with_seeds(seeds)
        others = [other for k, other in points.items() if k != key]
        if not others:
            return None
        gaps = [_held_out_gap(points[key], np.array(others), i) for i in range(len(seeds))]
        known = [gap for gap in gaps if gap is not None]
        return student_interval(known) if len(known) == len(gaps) else None

    def _with_seeds(self, seeds: tuple[int, ...]) -> dict[Hashable, Float[np.ndarray, "seeds 2"]]:
        """The points of all settings that have these seeds."""
        if seeds not in self._stacks:
            self._stacks[seeds] = {
                key: np.array([setting[seed] for seed in seeds])
                for key, setting in self._settings.items()
                if setting.keys() >= set(seeds)
            }
        return self._stacks[seeds]


def _held_out_gap(own: np.ndarray, others: np.ndarray, held_out: int) -> float | None:
    """The gap of `own` (seeds, 2) in one seed, above the chord that the other seeds choose.

    The other seeds choose two of `others` (settings, seeds, 2), whose chord is an edge of the hull,
    and the point on this chord at the rate of `own`. `own` and this point are compared by
    lost + β · rate, where β is minus the slope of the chord, with the measurements of the held-out
    seed. The gap is linear in these measurements, so the choice does not bias it. None if `own` has
    the lowest rate.
    """
    rest = np.arange(len(own)) != held_out
    rate = own[rest, 0].mean()
    hull = reachability(others[:, rest].mean(axis=1))
    right = int(np.searchsorted(hull.vertices[:, 0], rate, side="right"))
    if right == 0:
        return None
    left, right = right - 1, min(right, len(hull.corners) - 1)
    run, rise = hull.vertices[right] - hull.vertices[left]
    # Beyond the right end of the hull, the chord is horizontal.
    slope = rise / run if run else 0.0
    share = (rate - hull.vertices[left, 0]) / run if run else 0.0
    chord = (1 - share) * others[hull.corners[left]] + share * others[hull.corners[right]]
    difference = own[held_out] - chord[held_out]
    return float(difference[1] - slope * difference[0])
