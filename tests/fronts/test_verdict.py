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


def test_one_seed_on_each_side_is_too_few_for_a_test(verdict: Verdict) -> None:
    """For one seed per side, the verdict gives the ratio and ends with the seeds for a test."""
    text = verdict([(1.0, 1.0, 0)], [(1.0, 1.2, 0)])
    assert text.startswith("On digits, mib (1 seed) has 11 % more hypervolume than vib (1 seed). ")
    assert text.endswith(" Testing needs `--seeds 0,1,2,3` on both sides.")


def test_the_side_with_more_hypervolume_is_named_first(verdict: Verdict) -> None:
    """The verdict names the right side first, because the right side has more hypervolume.

    The verdict says that this does not hold for every pair of seeds.
    """
    text = verdict([(1.0, 1.2, 0)], [(1.0, 1.0, 0), (1.0, 1.3, 1)])
    assert (
        "vib (2 seeds) has 11 % more hypervolume than mib (1 seed), but not in every pair of "
        "seeds. " in text
    )
    assert text.endswith(" Testing needs `--seeds 0,1,2,3` on both sides.")


@pytest.mark.parametrize("seeds", [(3, 1), (1, 3), (2, 2), (3, 3), (3, 4)])
def test_a_side_that_is_behind_in_every_pair_of_seeds_is_named(
    verdict: Verdict, seeds: tuple[int, int]
) -> None:
    """If no test can show a difference, the verdict leads with the pairs of seeds."""
    beyond = [(20.0, 1.0, seed) for seed in range(seeds[0])]
    text = verdict(beyond, _seeds(1.0, seeds[1], 0.1))
    names = [f"({count} seed{'s' * (count > 1)})" for count in seeds]
    assert text.startswith(
        f"On digits, mib {names[0]} is behind vib {names[1]} in every pair of seeds, with a "
        "hypervolume of 0 against "
    )
    assert text.endswith(" Testing needs `--seeds 0,1,2,3` on both sides.")
    assert "no difference" not in text


def test_the_seeds_that_a_hint_asks_for_can_show_a_difference(verdict: Verdict) -> None:
    """Four seeds on each side are enough for p < 0.05, so the hint is absent."""
    text = verdict(_seeds(1.0, 4), _seeds(1.5, 4))
    assert "p = 0.029" in text
    assert "Testing needs" not in text


def test_nearly_equal_hypervolumes_are_called_the_same(verdict: Verdict) -> None:
    """Hypervolumes that differ by at most 0.05 % count as equal; here they differ by 0.025 %."""
    text = verdict([(1.0, 1.0, 0)], [(1.0, 1.0005, 0)])
    assert "the hypervolumes of mib (1 seed) and vib (1 seed) differ by less than 0.1 %. " in text


def test_a_side_beyond_the_reference_point_has_no_hypervolume(verdict: Verdict) -> None:
    """If the hypervolume of one side is 0, the verdict gives no ratio."""
    text = verdict([(1.0, 1.0, 0)], [(20.0, 1.0, 0)])
    assert "mib (1 seed) has hypervolume 18 bits², and vib (1 seed) has hypervolume 0. " in text


def test_five_seeds_can_show_a_difference(verdict: Verdict) -> None:
    """A difference is reported if p is below 0.05 and the interval of the ratio excludes 1."""
    for text, better, worse in (
        (verdict(_seeds(1.0, 5), _seeds(1.5, 5)), "mib", "vib"),
        (verdict(_seeds(1.5, 5), _seeds(1.0, 5)), "vib", "mib"),
    ):
        assert text.startswith(
            f"On digits, {better} (5 seeds) has 33 to 34 % more hypervolume than {worse} "
            "(5 seeds): 95 % confidence interval, p = 0.0079. "
        )
        assert "no difference" not in text
        assert "too few seeds" not in text


def test_a_side_with_a_hypervolume_of_zero_can_lose(verdict: Verdict) -> None:
    """If the hypervolume of one side is 0, the p-value alone decides: a ratio says nothing."""
    beyond = [(1e6, 0.1, seed) for seed in range(4)]
    text = verdict(beyond, _seeds(0.2, 4))
    assert text.startswith(
        "On digits, vib (4 seeds) has more hypervolume than mib (4 seeds) in 16 of 16 pairs of "
        "seeds: p = 0.0"
    )
    assert verdict(_seeds(0.2, 4), beyond).startswith(
        "On digits, mib (4 seeds) has more hypervolume than vib (4 seeds) in 16 of 16 pairs of "
    )


def test_the_side_that_is_ahead_in_most_pairs_of_seeds_wins(verdict: Verdict) -> None:
    """One good seed beside seven with hypervolume 0 wins the pooled front, but not the test."""
    left = [(1.0, 0.5, 0), *((1e6, 0.1, seed) for seed in range(1, 8))]
    for text, loser, winner in (
        (verdict(left, _seeds(1.0, 8)), "mib", "vib"),
        (verdict(_seeds(1.0, 8), left), "vib", "mib"),
    ):
        assert text.startswith(
            f"On digits, {winner} (8 seeds) has more hypervolume than {loser} (8 seeds) in 56 of "
            "64 pairs of seeds: p = 0.0"
        )


def test_a_seed_whose_trials_all_diverged_counts(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """A seed whose trials all diverged has hypervolume 0; a pruned trial alone adds no seed."""
    steady = [make_trial(1.0, 1.1 + seed / 1000, seed=seed) for seed in range(12)]
    better = [make_trial(1.0, 1.0 + seed / 1000, seed=seed) for seed in range(5)]
    diverged = [
        make_trial(seed=seed, status="diverged", name=f"bad {seed}") for seed in range(5, 12)
    ]
    extra_diverged = make_trial(seed=0, status="diverged", name="beside a finished trial")
    stopped = make_trial(seed=12, status="stopped", name="stopped")
    left = make_front([*better, *diverged, extra_diverged, stopped], method="mib", name="mib")
    comparison = compare([left], [make_front(steady, method="vib")])
    assert comparison.left.seeds == comparison.right.seeds == tuple(range(12))
    diverged_seeds = "Because of diverged trials, 7 of mib's 12 seeds count with hypervolume 0. "
    assert diverged_seeds in comparison.verdict
    no_difference = "no difference is shown between the hypervolumes of mib (12 seeds) and vib (12 "
    assert no_difference in comparison.verdict
    assert comparison.indicators.p_value is not None
    # Five values are above all others and seven below: U is 60 of 144, near the middle, 72.
    assert 0.3 < comparison.indicators.p_value < 0.7


def test_overlapping_seeds_show_no_difference(verdict: Verdict) -> None:
    """If no difference is shown, the verdict gives p and the interval of the ratio."""
    text = verdict(_seeds(1.0, 5, 0.1), _seeds(1.05, 5, 0.1))
    assert text.startswith(
        "On digits, no difference is shown between the hypervolumes of mib (5 seeds) and vib "
        "(5 seeds): p = 0."
    )
    assert "the 95 % confidence interval of their ratio is 0.9" in text


def test_three_seeds_cannot_show_a_difference(verdict: Verdict) -> None:
    """The smallest p-value for three seeds on each side is 0.1, and the verdict says so."""
    assert "With so few seeds, p cannot be below 0.1. " in verdict(_seeds(0.5, 3), _seeds(2.5, 3))
    text = verdict(_seeds(1.0, 3, 0.1), _seeds(1.05, 3, 0.1))
    assert "no difference is shown" in text
    assert "With so few seeds, p cannot be below 0.1. " in text
    assert "cannot be below" not in verdict(_seeds(1.0, 5, 0.1), _seeds(1.05, 5, 0.1))


def test_a_lead_that_equal_cost_reverses_is_reported(verdict: Verdict) -> None:
    """Left has more hypervolume at twice the cost; at equal cost, right has more."""
    mib, vib = [(4.0, 2.0, 0)] * 4 + [(1.0, 1.0, 0)] * 4, [(2.0, 1.5, 0)] * 4
    text = verdict(mib, vib, (4.0, 4.0))
    assert "mib (1 seed) has 50 % more hypervolume than vib (1 seed). " in text
    assert "At equal cost, vib has 100 % more hypervolume than mib. " in text
    assert "At equal cost" not in verdict(mib, vib, (1.0, 9.0))


def test_dominance_is_counted_both_ways(verdict: Verdict) -> None:
    """The verdict says how many points of the other front each side dominates."""
    text = verdict([(1.0, 1.0, 0), (5.0, 0.5, 0)], [(2.0, 2.0, 0), (4.0, 0.4, 0)])
    assert (
        "mib dominates 1 of vib's 2 front points, and vib dominates 1 of mib's 2 front points. "
        in text
    )
    text = verdict([(1.0, 1.0, 0)], [(2.0, 2.0, 0), (3.0, 1.5, 0)])
    assert (
        "mib dominates all 2 of vib's front points, and vib dominates 0 of mib's 1 front point. "
        in text
    )
    text = verdict([(1.0, 2.0, 0)], [(2.0, 1.0, 0)])
    assert "Neither side dominates a front point of the other side. " in text


def test_points_above_the_hull_are_counted(verdict: Verdict) -> None:
    """For each side the verdict counts front points above the hull and gives the largest gap."""
    text = verdict([(1.0, 2.0, 0), (2.0, 1.75, 0), (3.0, 1.0, 0)], [(1.0, 1.0, 0)])
    assert (
        "1 of mib's 3 front points lies above the hull by 0.25 bits, which may be noise with so "
        "few seeds. Every front point of vib lies on the hull, so some β selects it. " in text
    )
    text = verdict([(1.0, 1.0, 0)], [(1.0, 1.0, 0)])
    assert (
        "Every front point of both sides lies on the hull of its front, so some β selects it. "
        in text
    )
