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

from paretoib.fronts._hull import reachability
from paretoib.fronts._settings import Setting
from paretoib.fronts._statistics import MIN_SEEDS, student_interval
from paretoib.records import Interval


def gap_interval(key: Hashable, settings: Mapping[Hashable, Setting]) -> Interval | None:
    """The interval of a setting's gap above the hull of the other settings, in bits.

    Another setting is left out unless it has all seeds of this one. The result is None with fewer
    than three seeds. It is also None if there is no chord for one of the seeds, because no other
    setting has a lower rate in the mean over the remaining seeds.
    """
    own = settings[key]
    seeds = sorted(own)
    others = [s for k, s in settings.items() if k != key and own.keys() <= s.keys()]
    if len(seeds) < MIN_SEEDS or not others:
        return None
    own_points = np.array([own[seed] for seed in seeds])
    other_points = np.array([[other[seed] for seed in seeds] for other in others])
    gaps = [_held_out_gap(own_points, other_points, i) for i in range(len(seeds))]
    known = [gap for gap in gaps if gap is not None]
    return student_interval(known) if len(known) == len(gaps) else None


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
