"""Search `adaptive` over a range that moves trials along the front: it divides the widest gaps."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from paretoib.fronts import hypervolume
from paretoib.records import Metrics, TrialRecord
from paretoib.search import driver
from paretoib.search._gap_filling import Curve, fill_gaps
from paretoib.specs import Range, SweepSpec, TrialSpec

Path = Callable[[float], tuple[float, float] | None]  # from β to (rate, lost), in bits

REFERENCE = (20.0, 2.0)


def run(curve: Path, seed_noise: float = 0.0, **document: Any) -> list[TrialSpec]:
    """The trials of a sweep, in order.

    A trial measures the point that `curve` has at the trial's β. If `curve` returns None, the trial
    fails. `seed_noise` moves the rate, in opposite directions for seeds 0 and 1.
    """
    spec = SweepSpec.from_document(
        {"method": "vib", "search": "adaptive", "reference": REFERENCE, "seeds": [0], **document}
    )
    search = driver(spec)
    trials: list[TrialSpec] = []
    while new := search.ask(1000):
        for trial in new:
            trials.append(trial)
            point = curve(trial.get("beta"))
            noise = seed_noise * (trial.seed - 0.5) * math.sin(1e4 * trial.get("beta"))
            search.tell(record(trial, point and (point[0] + noise, point[1])))
    assert search.done
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


def points(curve: Path, values: list[float]) -> np.ndarray:
    return np.array([curve(beta) for beta in sorted(values)])


def largest_gap(curve: Path, values: list[float]) -> float:
    """The largest distance between neighbouring points of the curve.

    Both coordinates are divided by the coordinates of the reference point and clipped at 1.
    """
    plane = np.minimum(points(curve, values) / REFERENCE, 1)
    return float(np.hypot(*np.diff(plane, axis=0).T).max())


def gaussian(beta: float) -> tuple[float, float]:
    """The exact curve of Gaussian X and Y with I(X;Y) = 2 bits.

    Chechik et al. 2005; their β is 1/β here.
    """
    modes = np.array([0.125, 0.5])
    active = modes[1 / beta > 1 / (1 - modes)]
    rate = np.log2((1 / beta - 1) * (1 - active) / active).sum() / 2 if beta < 1 else 0.0
    relevance = rate - np.log2((1 - active) / beta).sum() / 2
    return float(rate), float(-np.log2(modes).sum() / 2 - relevance)


def smooth(beta: float) -> tuple[float, float]:
    """The rate falls and lost bits rise around β = 0.01."""
    share = 1 / (1 + (beta / 0.01) ** 2)
    return 20 * share, 2 - 2 * share


def jump(beta: float) -> tuple[float, float]:
    """One point for all β below 0.1 and another for larger β, as for deterministic labels."""
    return (2.0, 0.0) if beta < 0.1 else (0.0, 2.0)


GRID = [10 ** (-4 + 4 * i / 15) for i in range(16)]


def test_the_first_generation_is_evenly_spaced() -> None:
    """The first β include both ends of the range and are evenly spaced on the range's scale."""
    assert betas(run(smooth, trials=4)) == [1e-4, 0.002154, 0.04642, 1.0]
    assert betas(run(smooth, trials=3, population=3, space={"beta": "lin:1:2"})) == [1, 1.5, 2]
    assert betas(run(smooth, trials=2, population=1)) == [1e-4, 1.0]


def test_a_population_of_one_halves_the_widest_gap() -> None:
    """With a population of 1, each β after the first two divides the widest gap.

    The new β is the geometric mean of the two β at the ends of the gap.
    """
    values = betas(run(smooth, trials=12, population=1))
    for i in range(2, 12):
        earlier = sorted(values[:i])
        plane = points(smooth, earlier) / REFERENCE
        low = int(np.hypot(*np.diff(plane, axis=0).T).argmax())
        assert values[i] == pytest.approx(math.sqrt(earlier[low] * earlier[low + 1]), rel=1e-3)


def test_a_generation_is_divided_among_the_widest_gaps() -> None:
    """Four new β divide the widest gap into four parts and the second widest gap into two."""
    curve = Curve("weighting.beta", Range(low=1e-4, high=1), {})
    for position, rate in ((0.0, 0.0), (0.25, 0.1), (0.5, 0.5), (1.0, 0.61)):
        curve.add(position, np.array([rate, 0.0]))
    four = [(0, 0.3125), (0, 0.375), (0, 0.4375), (0, 0.75)]
    assert fill_gaps([curve], 4) == four
    thirds = [0.25 + 1 / 12, 0.25 + 2 / 12]
    assert [u for _, u in fill_gaps([curve], 2)] == pytest.approx(thirds)


def test_the_widest_gaps_of_all_curves_are_divided() -> None:
    """The curve with the wider gap gets the new places."""
    wide, narrow = (Curve("weighting.beta", Range(low=1e-4, high=1), {}) for _ in range(2))
    for curve, step in ((narrow, 0.1), (wide, 0.5)):
        for i in range(3):
            curve.add(i / 2, np.array([step * i, 0.0]))
    assert sorted(fill_gaps([narrow, wide], 2)) == [(1, 0.25), (1, 0.75)]


def test_a_smaller_last_generation_divides_gaps_evenly() -> None:
    """With a population of 4, the last two of 6 trials divide the widest gap into thirds."""
    third = (0.04642 / 0.002154) ** (1 / 3)
    expected = [0.002154 * third, 0.002154 * third**2]
    assert betas(run(smooth, trials=6))[4:] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("curve", [gaussian, smooth])
def test_twelve_trials_leave_smaller_gaps_than_a_grid_of_sixteen(curve: Path) -> None:
    """The largest gap of the search is less than 2/3 of the largest gap of the grid.

    The search has at least as much hypervolume as the grid.
    """
    adaptive = betas(run(curve, trials=12))
    assert largest_gap(curve, adaptive) < 2 / 3 * largest_gap(curve, GRID)
    volumes = [hypervolume(points(curve, values), REFERENCE) for values in (adaptive, GRID)]
    assert volumes[0] >= volumes[1]


def test_a_jump_does_not_take_all_trials() -> None:
    """No β closes the gap at a jump, so after some divisions the search divides other gaps."""
    values = sorted(betas(run(jump, trials=40)))
    assert len(set(values)) == 40
    ratio_at_jump = next(b / a for a, b in pairwise(values) if a < 0.1 <= b)
    assert 1.005 < ratio_at_jump < 1.05
    assert sum(0.05 < beta < 0.2 for beta in values) < 25


@pytest.mark.parametrize("fails", [lambda b: b < 1e-3, lambda b: b > 0.03, lambda _: True])
def test_failed_trials_are_not_repeated(fails: Callable[[float], bool]) -> None:
    """If trials fail for small β, for large β or for every β, all trials still have different β."""
    values = betas(run(lambda b: None if fails(b) else smooth(b), trials=20))
    assert len(set(values)) == 20
    assert (min(values), max(values)) == (1e-4, 1.0)


def test_if_all_trials_fail_betas_are_spread_over_the_range() -> None:
    """If all trials fail, the widest interval of β is divided first."""
    values = sorted(betas(run(lambda _: None, trials=33, population=3)))
    ratios = [math.log(b / a) for a, b in pairwise(values)]
    assert max(ratios) < 2.01 * min(ratios)


def test_seeds_share_betas_and_points_are_averaged_over_seeds() -> None:
    """Both seeds train each β, and noise that cancels in the mean over seeds changes no β."""
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


def test_gaps_beyond_the_reference_point_do_not_count() -> None:
    """Rates beyond the reference point add no hypervolume, so few trials have such rates."""
    values = betas(run(lambda b: (0.02 / b, 2 * b), trials=24))
    assert sum(beta < 0.001 for beta in values) <= 4


def test_a_search_ends_when_its_range_has_no_other_value() -> None:
    """A range of β with six floating-point numbers gives at most six trials."""
    assert len(run(smooth, trials=10, space={"beta": "1:1.000000000000001"})) == 6


def iterations_of(trials: list[TrialSpec], sqrted: int) -> list[int]:
    return [trial.get("iterations") for trial in trials if trial.get("sqrted") == sqrted]


def run_mib(curve: Callable[[int, int], tuple[float, float]], **document: Any) -> list[TrialSpec]:
    """The trials of a sweep of `mib`, which measure `curve(iterations, sqrted)`."""
    spec = SweepSpec.from_document(
        {"method": "mib", "reference": REFERENCE, "seeds": [0], **document}
    )
    search = driver(spec)
    trials: list[TrialSpec] = []
    while new := search.ask(1000):
        trials += new
        for trial in new:
            search.tell(record(trial, curve(trial.get("iterations"), trial.get("sqrted"))))
    return trials


def test_mib_varies_its_iterations_for_both_powers_of_the_weights() -> None:
    """The first trials have T = 2 and 200, for `sqrted` 0 and 1; later T are where the gaps are."""
    trials = run_mib(lambda t, s: (18 * t / 200, 2.0 - t / 100) if s else (1.0, 1.0), trials=16)
    assert [(t.get("iterations"), t.get("sqrted")) for t in trials[:4]] == [
        (2, 0),
        (2, 1),
        (200, 0),
        (200, 1),
    ]
    assert len(iterations_of(trials, 0)) == 2
    found = sorted(iterations_of(trials, 1))
    assert len(set(found)) == 14
    gaps = [b - a for a, b in pairwise(found)]
    assert max(gaps) <= 3 * min(gaps[len(gaps) // 2 :])


def test_every_whole_number_of_a_small_range_is_tried() -> None:
    """A range from 2 to 9 has eight values of T; no trial repeats one of them."""
    space = {"iterations": "int:2:9", "sqrted": [1]}
    trials = run_mib(lambda t, _: (float(t), 2 - t / 10), space=space, trials=8)
    assert sorted(iterations_of(trials, 1)) == list(range(2, 10))


@pytest.mark.parametrize("method", ["smooth_chebyshev", "epo"])
def test_a_preference_moves_trials_along_the_front(method: str) -> None:
    """With a range of preferences, `adaptive` begins at both ends of the range."""
    document = {"method": method, "search": "adaptive", "seeds": [0]}
    spec = SweepSpec.from_document(document)
    assert spec.gap_field == "weighting.preference"
    first = [trial.get("preference") for trial in driver(spec).ask(100)]
    assert (min(first), max(first), len(first)) == (0.02, 0.98, 4)
