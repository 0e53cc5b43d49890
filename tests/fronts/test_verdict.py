"""The one sentence: it claims no more than was shown."""

from collections.abc import Callable, Sequence

import pytest

from paretoib.fronts import compare
from paretoib.records import Front, TrialRecord

MakeTrial = Callable[..., TrialRecord]
MakeFront = Callable[..., Front]

Verdict = Callable[..., str]


@pytest.fixture
def verdict(make_trial: MakeTrial, make_front: MakeFront) -> Verdict:
    """The verdict on two lists of (rate, lost, seed), trials of 1 s a side unless said."""

    def judge(
        mib: Sequence[tuple[float, float, int]],
        vib: Sequence[tuple[float, float, int]],
        seconds: tuple[float, float] = (1.0, 1.0),
    ) -> str:
        fronts = [
            make_front(
                [make_trial(rate, lost, seed=seed, seconds=s) for rate, lost, seed in rows],
                name=method,
                method=method,
            )
            for method, rows, s in (("mib", mib, seconds[0]), ("vib", vib, seconds[1]))
        ]
        return compare([fronts[0]], [fronts[1]]).verdict

    return judge


def _seeds(lost: float, count: int, step: float = 0.001) -> list[tuple[float, float, int]]:
    return [(1.0, lost + step * seed, seed) for seed in range(count)]


def test_one_seed_each_shows_nothing_beyond_it(verdict: Verdict) -> None:
    """A better number is told, and what it is worth."""
    said = verdict([(1.0, 1.0, 0)], [(1.0, 1.2, 0)])
    assert said.startswith(
        "On digits, mib reached 11 % more hypervolume than vib from one seed each: "
        "no difference shown beyond that seed; "
    )


def test_the_winner_is_named_first_whichever_side_it_is_on(verdict: Verdict) -> None:
    """Right ahead, other seeds on each side, unequal numbers of them."""
    said = verdict([(1.0, 1.2, 0)], [(1.0, 1.0, 0), (1.0, 1.1, 1)])
    assert "vib reached 11 % more hypervolume than mib from one seed and two seeds: " in said
    assert "no difference shown beyond those seeds" in said


def test_equal_hypervolumes_are_called_the_same(verdict: Verdict) -> None:
    """Less than a thousandth apart."""
    said = verdict([(1.0, 1.0, 0)], [(1.0, 1.0005, 0)])
    assert "mib and vib reached the same hypervolume, to within 0.1 %, from one seed each" in said
    assert "no difference shown" in said


def test_a_side_beyond_the_reference_reached_none(verdict: Verdict) -> None:
    """No ratio to a hypervolume of 0."""
    said = verdict([(1.0, 1.0, 0)], [(20.0, 1.0, 0)])
    assert "mib reached hypervolume where vib reached none from one seed each" in said


def test_five_seeds_apart_show_a_difference(verdict: Verdict) -> None:
    """p below 0.05 and an interval without 1: no 'no difference shown'."""
    for said, better, worse in (
        (verdict(_seeds(1.0, 5), _seeds(1.5, 5)), "mib", "vib"),
        (verdict(_seeds(1.5, 5), _seeds(1.0, 5)), "vib", "mib"),
    ):
        assert said.startswith(
            f"On digits, {better} reached 33 to 34 % more hypervolume than {worse} "
            "(95 % interval over 5 seeds each; p = 0.0079); "
        )
        assert "no difference" not in said


def test_a_side_without_hypervolume_for_some_seeds_can_still_lose(verdict: Verdict) -> None:
    """Without a ratio of hypervolumes the test alone decides."""
    beyond = [(1e6, 0.1, seed) for seed in range(4)]
    said = verdict(beyond, _seeds(0.2, 4))
    assert said.startswith("On digits, vib reached hypervolume where mib reached none (over 4 ")


def test_no_side_is_judged_by_its_survivors(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """Seeds whose trials all diverged reached nothing, and are told of; stopped ones are not."""
    steady = [make_trial(1.0, 1.1 + seed / 1000, seed=seed) for seed in range(12)]
    ahead = [make_trial(1.0, 1.0 + seed / 1000, seed=seed) for seed in range(5)]
    lost = [make_trial(seed=seed, status="diverged", name=f"lost {seed}") for seed in range(5, 12)]
    also = make_trial(seed=0, status="diverged", name="beside one that finished")
    stopped = make_trial(seed=12, status="stopped", name="stopped")
    left = make_front([*ahead, *lost, also, stopped], method="mib", name="mib")
    comparison = compare([left], [make_front(steady, method="vib")])
    assert comparison.left.seeds == comparison.right.seeds == tuple(range(12))
    assert "every trial of 7 of mib's 12 seeds diverged; " in comparison.verdict
    assert "no difference shown between the hypervolumes of mib and vib" in comparison.verdict
    assert comparison.indicators.p_value is not None
    # Five are above all of the others and seven below: U is 60 of 144, and 72 is the middle.
    assert 0.3 < comparison.indicators.p_value < 0.7


def test_overlapping_seeds_show_none(verdict: Verdict) -> None:
    """p and the interval are told."""
    said = verdict(_seeds(1.0, 5, 0.1), _seeds(1.05, 5, 0.1))
    assert said.startswith(
        "On digits, no difference shown between the hypervolumes of mib and vib "
        "(over 5 seeds each: p = 0."
    )
    assert "95 % interval of the ratio 0.9" in said


def test_three_seeds_cannot_show_one_however_far_apart(verdict: Verdict) -> None:
    """The smallest p-value of three against three is 0.1, and the sentence says so."""
    said = verdict(_seeds(0.5, 3), _seeds(2.5, 3))
    assert "no difference shown" in said
    assert "p = 0.1" in said
    assert "so few seeds cannot bring p below 0.1)" in said
    assert "cannot bring" not in verdict(_seeds(1.0, 5, 0.1), _seeds(1.05, 5, 0.1))


def test_a_lead_that_was_bought_is_told(verdict: Verdict) -> None:
    """Left leads after twice the cost; when both spent the same, right led."""
    mib, vib = [(4.0, 2.0, 0), (1.0, 1.0, 0)], [(2.0, 1.5, 0)]
    said = verdict(mib, vib, (4.0, 4.0))
    assert "mib reached 50 % more hypervolume than vib from one seed each" in said
    assert "at equal cost vib reached 100 % more hypervolume than mib" in said
    assert "at equal cost" not in verdict(mib, vib, (1.0, 9.0))


def test_dominance_is_counted_both_ways(verdict: Verdict) -> None:
    """How many of the other's front points each side dominates."""
    said = verdict([(1.0, 1.0, 0), (5.0, 0.5, 0)], [(2.0, 2.0, 0), (4.0, 0.4, 0)])
    assert "mib dominates 1 of vib's 2 front points, vib 1 of mib's 2" in said
    said = verdict([(1.0, 2.0, 0)], [(2.0, 1.0, 0)])
    assert "neither dominates a point of the other's front" in said


def test_points_that_no_beta_reaches_are_counted(verdict: Verdict) -> None:
    """With the largest height above the hull; or that there are none."""
    said = verdict([(1.0, 2.0, 0), (2.0, 1.75, 0), (3.0, 1.0, 0)], [(1.0, 1.0, 0)])
    assert said.endswith(
        "1 of mib's and 0 of vib's front points lie above their own hull, by up to 0.25 bits, "
        "where no β selects them."
    )
    said = verdict([(1.0, 1.0, 0)], [(1.0, 1.0, 0)])
    assert said.endswith("every point of both fronts lies on its hull, where some β selects it.")
