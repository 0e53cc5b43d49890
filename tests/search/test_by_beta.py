"""β where the front is thin."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from paretoib.fronts import hypervolume
from paretoib.records import Metrics, TrialRecord
from paretoib.search import driver
from paretoib.search._by_beta import thin
from paretoib.specs import SweepSpec, TrialSpec

Curve = Callable[[float], tuple[float, float] | None]  # from β to (rate, lost), in bits

REFERENCE = (20.0, 2.0)


def run(curve: Curve, seed_noise: float = 0.0, **document: Any) -> list[TrialSpec]:
    """The trials of a sweep on a known curve, in order; nothing where the curve has None."""
    spec = SweepSpec.from_document(
        {"method": "vib", "search": "adaptive", "reference": REFERENCE, "seeds": [0], **document}
    )
    of = driver(spec)
    trials: list[TrialSpec] = []
    while asked := of.ask(1000):
        for trial in asked:
            trials.append(trial)
            point = curve(trial.get("beta"))
            noise = seed_noise * (trial.seed - 0.5) * math.sin(1e4 * trial.get("beta"))
            of.tell(record(trial, point and (point[0] + noise, point[1])))
    assert of.done
    return trials


def record(trial: TrialSpec, point: tuple[float, float] | None) -> TrialRecord:
    if point is None:
        return TrialRecord(trial=trial.key, spec=trial.document, status="failed", reason="no")
    metrics = Metrics(
        examples=100,
        rate_bits=point[0],
        rate_lower_bits=None,
        rate_se_bits=None,
        relevance_bits=2 - point[1],
        relevance_se_bits=0.0,
        ceiling_bits=2.0,
        lost_bits=point[1],
        cross_entropy_bits=point[1],
    )
    return TrialRecord(trial=trial.key, spec=trial.document, status="finished", validation=metrics)


def betas(trials: list[TrialSpec]) -> list[float]:
    return [trial.get("beta") for trial in trials]


def points(curve: Curve, values: list[float]) -> np.ndarray:
    return np.array([curve(beta) for beta in sorted(values)])


def largest_gap(curve: Curve, values: list[float]) -> float:
    """Between neighbours, as shares of the corner."""
    plane = np.minimum(points(curve, values) / REFERENCE, 1)
    return float(np.hypot(*np.diff(plane, axis=0).T).max())


def gaussian(beta: float) -> tuple[float, float]:
    """The exact curve of Gaussian X and Y (Chechik et al. 2005), 1/β their β; I(X;Y) = 2 bits."""
    modes = np.array([0.125, 0.5])
    active = modes[1 / beta > 1 / (1 - modes)]
    rate = np.log2((1 / beta - 1) * (1 - active) / active).sum() / 2 if beta < 1 else 0.0
    relevance = rate - np.log2((1 - active) / beta).sum() / 2
    return float(rate), float(-np.log2(modes).sum() / 2 - relevance)


def smooth(beta: float) -> tuple[float, float]:
    """Rate falls and loss rises where β is about 0.01."""
    share = 1 / (1 + (beta / 0.01) ** 2)
    return 20 * share, 2 - 2 * share


def jump(beta: float) -> tuple[float, float]:
    """Deterministic labels: one corner for all β below 0.1, another for all above."""
    return (2.0, 0.0) if beta < 0.1 else (0.0, 2.0)


GRID = [10 ** (-4 + 4 * i / 15) for i in range(16)]


def test_it_begins_at_both_ends_and_evenly_between() -> None:
    """On the scale of β's range."""
    assert betas(run(smooth, trials=4)) == [1e-4, 0.002154, 0.04642, 1.0]
    assert betas(run(smooth, trials=3, population=3, space={"beta": "lin:1:2"})) == [1, 1.5, 2]
    assert betas(run(smooth, trials=2, population=1)) == [1e-4, 1.0]


def test_one_at_a_time_it_halves_the_widest_gap() -> None:
    """β is the geometric mean of the two neighbours that lie furthest apart."""
    found = betas(run(smooth, trials=12, population=1))
    for i in range(2, 12):
        before = sorted(found[:i])
        plane = points(smooth, before) / REFERENCE
        low = int(np.hypot(*np.diff(plane, axis=0).T).argmax())
        assert found[i] == pytest.approx(math.sqrt(before[low] * before[low + 1]), rel=1e-3)


def test_a_generation_is_shared_out_among_the_widest_gaps() -> None:
    """One that is four times as wide as another is quartered before that is halved."""
    places = np.array([0.0, 0.25, 0.5, 1.0])
    curve = np.array([[0.0, 0.0], [0.1, 0.0], [0.5, 0.0], [0.61, 0.0]])
    assert thin(places, curve, 4, lambda _: True) == [0.3125, 0.375, 0.4375, 0.75]
    assert thin(places, curve, 2, lambda _: True) == pytest.approx([0.25 + 1 / 12, 0.25 + 2 / 12])


def test_what_is_left_of_the_trials_is_placed_as_a_whole() -> None:
    """Two of a generation of four divide the widest gap in thirds, not in quarters."""
    third = (0.04642 / 0.002154) ** (1 / 3)
    expected = [0.002154 * third, 0.002154 * third**2]
    assert betas(run(smooth, trials=6))[4:] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("curve", [gaussian, smooth])
def test_twelve_trials_leave_smaller_gaps_than_a_grid_of_sixteen(curve: Curve) -> None:
    """By a third or more; and the hypervolume is no smaller."""
    found = betas(run(curve, trials=12))
    assert largest_gap(curve, found) < 2 / 3 * largest_gap(curve, GRID)
    volumes = [hypervolume(points(curve, values), REFERENCE) for values in (found, GRID)]
    assert volumes[0] >= volumes[1]


def test_a_jump_does_not_swallow_the_trials() -> None:
    """No β is between the corners: once that is plain, trials go elsewhere."""
    found = sorted(betas(run(jump, trials=40)))
    assert len(set(found)) == 40
    nearest = [b / a for a, b in pairwise(found) if a < 0.1 <= b]
    assert 1.005 < nearest[0] < 1.05
    assert sum(0.05 < beta < 0.2 for beta in found) < 25


@pytest.mark.parametrize("fails", [lambda b: b < 1e-3, lambda b: b > 0.03, lambda _: True])
def test_a_beta_that_fails_leaves_no_hole(fails: Callable[[float], bool]) -> None:
    """At one end, in the middle of the fall, everywhere: all trials are had, all different."""
    found = betas(run(lambda b: None if fails(b) else smooth(b), trials=20))
    assert len(set(found)) == 20
    assert (min(found), max(found)) == (1e-4, 1.0)


def test_without_any_measurement_it_is_a_grid() -> None:
    """Nothing speaks for one interval before another but its width."""
    found = sorted(betas(run(lambda _: None, trials=33, population=3)))
    ratios = [math.log(b / a) for a, b in pairwise(found)]
    assert max(ratios) < 2.01 * min(ratios)


def test_every_seed_has_the_same_betas_and_their_mean_counts() -> None:
    """Noise that the mean of the seeds has not moves no β."""
    plain = run(gaussian, trials=24, seeds=[0, 1], population=8)
    noisy = run(gaussian, seed_noise=3.0, trials=24, seeds=[0, 1], population=8)
    by_seed = [[t.get("beta") for t in noisy if t.seed == seed] for seed in (0, 1)]
    assert by_seed[0] == by_seed[1]
    assert len(by_seed[0]) == 12
    assert (
        betas(noisy)
        == betas(plain)
        == [beta for beta in betas(run(gaussian, trials=12)) for _ in range(2)]
    )


def test_what_lies_beyond_the_corner_is_no_gap() -> None:
    """Rates that grow without end where β is small add nothing to the hypervolume."""
    found = betas(run(lambda b: (0.02 / b, 2 * b), trials=24))
    assert sum(beta < 0.001 for beta in found) <= 4


def test_a_range_with_too_few_numbers_ends_the_search() -> None:
    """Four digits leave six numbers between these ends."""
    assert len(run(smooth, trials=10, space={"beta": "0.1:0.1005"})) == 6
