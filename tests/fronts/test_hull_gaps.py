"""Hull gaps over seeds: a dent of the front is shown, the noise of seeds is not."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest

from paretoib.fronts import compare
from paretoib.records import Comparison, Front, Point, TrialRecord

MakeTrial = Callable[..., TrialRecord]
MakeFront = Callable[..., Front]

RATES = np.linspace(0.5, 8, 12)
STRAIGHT = 3 - 0.3 * RATES
DENT = 5  # the setting that a dent lifts
NOISE = 0.02  # standard deviation of rate and lost bits over seeds, in bits


@pytest.fixture
def grid(make_trial: MakeTrial) -> Callable[..., list[TrialRecord]]:
    """A function that makes the trials of a β grid with noise, for each setting and seed."""

    def make(
        seeds: Sequence[int], *, dent: float = 0.0, noise: int = 0, **spec: Any
    ) -> list[TrialRecord]:
        lost = STRAIGHT + dent * (np.arange(len(RATES)) == DENT)
        rng = np.random.default_rng(noise)
        return [
            make_trial(*rng.normal((rate, bits), NOISE), beta=float(i), seed=seed, **spec)
            for seed in seeds
            for i, (rate, bits) in enumerate(zip(RATES, lost, strict=True))
        ]

    return make


def _above(points: Iterable[Point]) -> list[Point]:
    return [p for p in points if p.on_front and not p.supported]


def _setting(point: Point) -> float:
    return point.params["weighting.beta"]


def test_a_dent_is_shown_and_noise_is_not(grid: Any, make_front: MakeFront) -> None:
    """With four seeds, a dent of 0.1 bits in a straight front is shown in each of 40 fronts.

    Noise lifts most other settings above the hull. At most one of 20 of them is shown, as a 95 %
    interval promises.
    """
    fronts, lifted, shown = 40, 0, 0
    for noise in range(fronts):
        front = make_front(grid(range(4), dent=0.1, noise=noise))
        gaps = {_setting(p): p for p in _above(front.points)}
        dent = gaps.pop(DENT)
        assert dent.gap_shown
        assert dent.hull_gap_interval is not None
        assert 0 < dent.hull_gap_interval.low < 0.15
        lifted += len(gaps)
        shown += sum(p.gap_shown for p in gaps.values())
    others = fronts * (len(RATES) - 1)
    assert lifted > others / 2
    assert shown <= others / 20


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_show_no_gap(grid: Any, make_front: MakeFront, seeds: int) -> None:
    """With fewer than three seeds a gap has no interval, even if it is 1 bit."""
    above = _above(make_front(grid(range(seeds), dent=1.0)).points)
    assert above
    assert {p.hull_gap_interval for p in above} == {None}
    assert not any(p.gap_shown for p in above)


def test_the_interval_belongs_to_the_setting(grid: Any, make_front: MakeFront) -> None:
    """All points of a setting have the same interval; the raw gaps differ."""
    front = make_front(grid(range(6), dent=0.1))
    dents = [p for p in _above(front.points) if _setting(p) == DENT]
    assert len({p.hull_gap_bits for p in dents}) == len(dents) > 1
    assert len({p.hull_gap_interval.low for p in dents if p.hull_gap_interval}) == 1


def test_supported_and_dominated_points_have_no_interval(grid: Any, make_front: MakeFront) -> None:
    """Only unsupported points of the front have an interval."""
    points = make_front(grid(range(4), dent=0.1)).points
    assert {p.hull_gap_interval for p in points if p.supported or not p.on_front} == {None}


def test_a_setting_without_a_chord_below_it_has_no_interval(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """A setting with the lowest mean rate lies above no chord, though a seed of it may."""
    rates = {0: (1.0, 1.5, 3.0), 1: (2.0, 1.0, 1.0)}
    trials = [
        make_trial(r, 2 - r / 10, beta=b, seed=s) for b in rates for s, r in enumerate(rates[b])
    ]
    low = [make_trial(0.1, 3.0, beta=2.0, seed=s) for s in range(3)]
    front = make_front([*trials, *low])
    assert {p.hull_gap_interval for p in front.points if _setting(p) == 2.0} == {None}


def test_settings_without_a_seed_do_not_move_the_hull(
    grid: Any, make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """A setting that lacks a seed of the dent is not compared with it: the seeds would differ."""
    complete = grid(range(4), dent=0.1)
    one_seed = [make_trial(RATES[DENT], 0.5, beta=99.0, seed=0)]
    with_it, without = (make_front(trials) for trials in ([*complete, *one_seed], complete))
    expected = {p.hull_gap_interval for p in without.points if _setting(p) == DENT} - {None}
    found = {p.hull_gap_interval for p in with_it.points if _setting(p) == DENT} - {None}
    assert found <= expected


def test_seeds_in_separate_sweeps_count_together(grid: Any, make_front: MakeFront) -> None:
    """In a comparison, four sweeps of one seed show the same gaps as one sweep of four seeds."""
    trials = grid(range(4), dent=0.1)
    other = make_front(grid([0], dent=0.1), name="other", method="mib")
    together = compare([make_front(trials)], [other])
    sweeps = [make_front([t for t in trials if t.spec["seed"] == s], name=str(s)) for s in range(4)]
    apart = compare(sweeps, [other])

    def gaps(comparison: Comparison) -> list[tuple[str, Any]]:
        left = [p for p in comparison.points if p.side == "left"]
        return sorted((p.trial, str(p.hull_gap_interval)) for p in left)

    assert gaps(apart) == gaps(together)
    assert apart.left.gaps_shown == together.left.gaps_shown
    assert together.left.gaps_shown
    assert together.right.gaps_shown is None
    assert "no β selects" in together.verdict
    assert "may be noise with so few seeds" in together.verdict


def test_sweeps_with_other_fields_are_other_settings(grid: Any, make_front: MakeFront) -> None:
    """Sweeps whose model differs share no setting, although the fields that vary are equal."""
    sweeps = []
    for seed in range(4):
        front = make_front(grid([seed], dent=0.1, noise=seed), name=str(seed))
        spec = {**front.sweep.spec, "model": {"name": "mlp", "hidden": [16 + seed]}}
        sweep = front.sweep.model_copy(update={"spec": spec})
        sweeps.append(front.model_copy(update={"sweep": sweep}))
    comparison = compare(sweeps, sweeps[:1])
    assert comparison.left.gaps_shown is None


def test_documents_of_older_versions_are_read(grid: Any, make_front: MakeFront) -> None:
    """A front and a comparison without the intervals are read; no gap of theirs is shown."""
    front = make_front(grid(range(4), dent=0.1))
    document = front.document
    comparison = compare([front], [make_front(grid([0]), method="mib", name="b")]).document
    for part in (document, comparison):
        for point in part["points"]:
            del point["hull_gap_interval"]
    for side in ("left", "right"):
        del comparison[side]["gaps_shown"]
    for name in ("seed_hypervolumes", "front_distances"):
        del comparison["indicators"][name]
    assert not any(p.gap_shown for p in Front.from_document(document).points)
    old = Comparison.from_document(comparison)
    assert old.verdict == comparison["verdict"]
    assert (old.left.gaps_shown, old.indicators.front_distances) == (None, {})
