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


def test_one_seed_each_shows_no_difference(verdict: Verdict) -> None:
    """A lead from one seed is reported, with the restriction to that seed."""
    text = verdict([(1.0, 1.0, 0)], [(1.0, 1.2, 0)])
    assert text.startswith(
        "On digits, mib (1 seed) reached 11 % more hypervolume than vib (1 seed); "
        "too few seeds to show a difference in general; "
    )


def test_the_winner_is_named_first_whichever_side_it_is_on(verdict: Verdict) -> None:
    """The right side leads; it has two seeds, the left side has one."""
    text = verdict([(1.0, 1.2, 0)], [(1.0, 1.0, 0), (1.0, 1.1, 1)])
    assert "vib (2 seeds) reached 11 % more hypervolume than mib (1 seed); " in text
    assert "too few seeds to show a difference in general" in text


def test_nearly_equal_hypervolumes_are_called_the_same(verdict: Verdict) -> None:
    """The hypervolumes differ by less than 0.1 %."""
    text = verdict([(1.0, 1.0, 0)], [(1.0, 1.0005, 0)])
    assert "mib (1 seed) and vib (1 seed) reached the same hypervolume within 0.1 %; " in text
    assert "too few seeds to show a difference in general" in text


def test_a_side_beyond_the_reference_point_has_no_hypervolume(verdict: Verdict) -> None:
    """The verdict has no ratio, because one hypervolume is 0."""
    text = verdict([(1.0, 1.0, 0)], [(20.0, 1.0, 0)])
    assert "mib (1 seed) reached a hypervolume above 0 and vib (1 seed) reached 0; " in text


def test_five_seeds_can_show_a_difference(verdict: Verdict) -> None:
    """A difference is reported if p is below 0.05 and the interval of the ratio excludes 1."""
    for text, better, worse in (
        (verdict(_seeds(1.0, 5), _seeds(1.5, 5)), "mib", "vib"),
        (verdict(_seeds(1.5, 5), _seeds(1.0, 5)), "vib", "mib"),
    ):
        assert text.startswith(
            f"On digits, {better} (5 seeds) reached 33 to 34 % more hypervolume than {worse} "
            "(5 seeds): 95 % interval, p = 0.0079; "
        )
        assert "no difference" not in text
        assert "too few seeds" not in text


def test_a_side_with_a_hypervolume_of_zero_can_lose(verdict: Verdict) -> None:
    """There is no ratio of hypervolumes, so only the p-value decides."""
    beyond = [(1e6, 0.1, seed) for seed in range(4)]
    text = verdict(beyond, _seeds(0.2, 4))
    assert text.startswith(
        "On digits, vib (4 seeds) reached a hypervolume above 0 and mib (4 seeds) reached 0: p = "
    )


def test_a_seed_whose_trials_all_diverged_counts(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """Such a seed has hypervolume 0 and is reported; a seed with only a pruned trial is ignored."""
    steady = [make_trial(1.0, 1.1 + seed / 1000, seed=seed) for seed in range(12)]
    better = [make_trial(1.0, 1.0 + seed / 1000, seed=seed) for seed in range(5)]
    diverged = [
        make_trial(seed=seed, status="diverged", name=f"bad {seed}") for seed in range(5, 12)
    ]
    beside = make_trial(seed=0, status="diverged", name="beside a finished trial")
    stopped = make_trial(seed=12, status="stopped", name="stopped")
    left = make_front([*better, *diverged, beside, stopped], method="mib", name="mib")
    comparison = compare([left], [make_front(steady, method="vib")])
    assert comparison.left.seeds == comparison.right.seeds == tuple(range(12))
    assert "all trials diverged for 7 of mib's 12 seeds; " in comparison.verdict
    no_difference = "no difference is shown between the hypervolumes of mib (12 seeds) and vib (12 "
    assert no_difference in comparison.verdict
    assert comparison.indicators.p_value is not None
    # Five values are above all others and seven below: U is 60 of 144, near the middle, 72.
    assert 0.3 < comparison.indicators.p_value < 0.7


def test_overlapping_seeds_show_no_difference(verdict: Verdict) -> None:
    """The verdict has p and the interval of the ratio."""
    text = verdict(_seeds(1.0, 5, 0.1), _seeds(1.05, 5, 0.1))
    assert text.startswith(
        "On digits, no difference is shown between the hypervolumes of mib (5 seeds) and vib "
        "(5 seeds): p = 0."
    )
    assert "95 % interval of the ratio 0.9" in text


def test_three_seeds_cannot_show_a_difference(verdict: Verdict) -> None:
    """The smallest p-value for three seeds each is 0.1, and the verdict says so."""
    text = verdict(_seeds(0.5, 3), _seeds(2.5, 3))
    assert "no difference is shown" in text
    assert "p = 0.1" in text
    assert "with so few seeds p cannot be below 0.1; " in text
    assert "cannot be below" not in verdict(_seeds(1.0, 5, 0.1), _seeds(1.05, 5, 0.1))


def test_a_lead_that_equal_cost_reverses_is_reported(verdict: Verdict) -> None:
    """Left leads at twice the cost of right; at equal cost, right leads."""
    mib, vib = [(4.0, 2.0, 0), (1.0, 1.0, 0)], [(2.0, 1.5, 0)]
    text = verdict(mib, vib, (4.0, 4.0))
    assert "mib (1 seed) reached 50 % more hypervolume than vib (1 seed); " in text
    assert "at equal cost vib reached 100 % more hypervolume than mib" in text
    assert "at equal cost" not in verdict(mib, vib, (1.0, 9.0))


def test_dominance_is_counted_both_ways(verdict: Verdict) -> None:
    """The verdict says how many points of the other front each side dominates."""
    text = verdict([(1.0, 1.0, 0), (5.0, 0.5, 0)], [(2.0, 2.0, 0), (4.0, 0.4, 0)])
    assert "mib dominates 1 of vib's 2 front points; vib dominates 1 of mib's 2; " in text
    text = verdict([(1.0, 1.0, 0)], [(2.0, 2.0, 0), (3.0, 1.5, 0)])
    assert "mib dominates all 2 of vib's front points; vib dominates 0 of mib's 1; " in text
    text = verdict([(1.0, 2.0, 0)], [(2.0, 1.0, 0)])
    assert "neither side dominates a point of the other side's front" in text


def test_points_that_no_beta_reaches_are_counted(verdict: Verdict) -> None:
    """The verdict has their largest gap above the hull, or says that there are no such points."""
    text = verdict([(1.0, 2.0, 0), (2.0, 1.75, 0), (3.0, 1.0, 0)], [(1.0, 1.0, 0)])
    assert text.endswith(
        "1 of mib's and 0 of vib's front points lie up to 0.25 bits above their front's hull, so "
        "no β selects them."
    )
    text = verdict([(1.0, 1.0, 0)], [(1.0, 1.0, 0)])
    assert text.endswith(
        "every point of both fronts lies on its front's hull, so some β selects it."
    )
