"""The verdict claims no more than the data show."""

from collections.abc import Callable, Sequence

import pytest

from paretoib.fronts import compare
from paretoib.records import Front, TrialRecord

MakeTrial = Callable[..., TrialRecord]
MakeFront = Callable[..., Front]

Verdict = Callable[..., str]


@pytest.fixture
def verdict(make_trial: MakeTrial, make_front: MakeFront) -> Verdict:
    """A function that gives the verdict on two lists of (rate, lost, seed)."""

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
    """A lead from one seed is reported, with the restriction to that seed."""
    text = verdict([(1.0, 1.0, 0)], [(1.0, 1.2, 0)])
    assert text.startswith(
        "On digits, mib reached 11 % more hypervolume than vib from one seed each: "
        "no difference shown beyond that seed; "
    )


def test_the_winner_is_named_first_whichever_side_it_is_on(verdict: Verdict) -> None:
    """The right side leads, with more seeds than the left."""
    text = verdict([(1.0, 1.2, 0)], [(1.0, 1.0, 0), (1.0, 1.1, 1)])
    assert "vib reached 11 % more hypervolume than mib from one seed and two seeds: " in text
    assert "no difference shown beyond those seeds" in text


def test_equal_hypervolumes_are_called_the_same(verdict: Verdict) -> None:
    """They differ by less than 0.1 %."""
    text = verdict([(1.0, 1.0, 0)], [(1.0, 1.0005, 0)])
    assert "mib and vib reached the same hypervolume, to within 0.1 %, from one seed each" in text
    assert "no difference shown" in text


def test_a_side_beyond_the_reference_reached_none(verdict: Verdict) -> None:
    """There is no ratio to a hypervolume of 0."""
    text = verdict([(1.0, 1.0, 0)], [(20.0, 1.0, 0)])
    assert "mib reached a hypervolume above 0 and vib none from one seed each" in text


def test_five_seeds_apart_show_a_difference(verdict: Verdict) -> None:
    """With p below 0.05 and an interval without 1, the difference is reported."""
    for text, better, worse in (
        (verdict(_seeds(1.0, 5), _seeds(1.5, 5)), "mib", "vib"),
        (verdict(_seeds(1.5, 5), _seeds(1.0, 5)), "vib", "mib"),
    ):
        assert text.startswith(
            f"On digits, {better} reached 33 to 34 % more hypervolume than {worse} "
            "(95 % interval over 5 seeds each; p = 0.0079); "
        )
        assert "no difference" not in text


def test_a_side_without_hypervolume_for_some_seeds_can_still_lose(verdict: Verdict) -> None:
    """Without a ratio of hypervolumes, the test decides alone."""
    beyond = [(1e6, 0.1, seed) for seed in range(4)]
    text = verdict(beyond, _seeds(0.2, 4))
    assert text.startswith("On digits, vib reached a hypervolume above 0 and mib none (over 4 ")


def test_no_side_is_judged_by_its_survivors(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """A seed whose trials all diverged counts as 0 and is reported; a pruned trial is not."""
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
    # Five values are above all others and seven below: U is 60 of 144, near the middle, 72.
    assert 0.3 < comparison.indicators.p_value < 0.7


def test_overlapping_seeds_show_no_difference(verdict: Verdict) -> None:
    """p and the interval are reported."""
    text = verdict(_seeds(1.0, 5, 0.1), _seeds(1.05, 5, 0.1))
    assert text.startswith(
        "On digits, no difference shown between the hypervolumes of mib and vib "
        "(over 5 seeds each: p = 0."
    )
    assert "95 % interval of the ratio 0.9" in text


def test_three_seeds_cannot_show_a_difference(verdict: Verdict) -> None:
    """The smallest p-value for three seeds each is 0.1, and the verdict says so."""
    text = verdict(_seeds(0.5, 3), _seeds(2.5, 3))
    assert "no difference shown" in text
    assert "p = 0.1" in text
    assert "with so few seeds p cannot be below 0.1)" in text
    assert "cannot be below" not in verdict(_seeds(1.0, 5, 0.1), _seeds(1.05, 5, 0.1))


def test_a_lead_that_equal_cost_reverses_is_reported(verdict: Verdict) -> None:
    """Left leads after twice the cost; at equal cost, right leads."""
    mib, vib = [(4.0, 2.0, 0), (1.0, 1.0, 0)], [(2.0, 1.5, 0)]
    text = verdict(mib, vib, (4.0, 4.0))
    assert "mib reached 50 % more hypervolume than vib from one seed each" in text
    assert "at equal cost vib reached 100 % more hypervolume than mib" in text
    assert "at equal cost" not in verdict(mib, vib, (1.0, 9.0))


def test_dominance_is_counted_both_ways(verdict: Verdict) -> None:
    """It reports how many points of the other front each side dominates."""
    text = verdict([(1.0, 1.0, 0), (5.0, 0.5, 0)], [(2.0, 2.0, 0), (4.0, 0.4, 0)])
    assert "mib dominates 1 of vib's 2 front points, vib 1 of mib's 2" in text
    text = verdict([(1.0, 2.0, 0)], [(2.0, 1.0, 0)])
    assert "neither dominates a point of the other's front" in text


def test_points_that_no_beta_reaches_are_counted(verdict: Verdict) -> None:
    """It reports their largest gap above the hull, or that there are no such points."""
    text = verdict([(1.0, 2.0, 0), (2.0, 1.75, 0), (3.0, 1.0, 0)], [(1.0, 1.0, 0)])
    assert text.endswith(
        "1 of mib's and 0 of vib's front points lie above their own hull, by up to 0.25 bits, "
        "where no β selects them."
    )
    text = verdict([(1.0, 1.0, 0)], [(1.0, 1.0, 0)])
    assert text.endswith("every point of both fronts lies on its hull, where some β selects it.")
