"""One setting is chosen on the validation split and reported on the test split."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from paretoib.errors import ChoiceError, ComparisonError, FilterError
from paretoib.fronts import pick
from paretoib.records import Front, Pick, PickRule, TrialRecord

MakeTrial = Callable[..., TrialRecord]
MakeFront = Callable[..., Front]

# (rate, lost, accuracy) on the validation split, by β. The line between the ends of the front,
# (1, 2.8) and (9, 0.4), has the slope −0.3. The point at rate 3 lies farthest below this line.
CURVE = {0.4: (1.0, 2.8, 0.2), 0.3: (3.0, 1.2, 0.7), 0.2: (5.0, 0.8, 0.8), 0.1: (9.0, 0.4, 0.9)}


@pytest.fixture
def make(make_trial: MakeTrial, make_front: MakeFront) -> Callable[..., Front]:
    """A function that makes a front with these validation results, with 0.5 more bits on test.

    `shift` has further lost bits on test by (β, seed).
    """

    def front(
        curve: Mapping[float, tuple[float, float, float]] = CURVE,
        *,
        seeds: Sequence[int] = (0, 1, 2),
        shift: Mapping[tuple[float, int], float] | None = None,
        extra: Sequence[TrialRecord] = (),
        **front_options: Any,
    ) -> Front:
        trials = [
            make_trial(
                rate + 0.5,
                lost + (shift or {}).get((beta, seed), 0.01 * seed),
                beta=beta,
                seed=seed,
                accuracy=accuracy - 0.05,
                validation=(rate, lost, accuracy),
                name=f"{beta}-{seed}-trial",
            )
            for beta, (rate, lost, accuracy) in curve.items()
            for seed in seeds
        ]
        return make_front([*trials, *extra], reference=(20.0, 3.0), **front_options)

    return front


def choose(front: Front | Sequence[Front], where: Sequence[str] = (), **rule: Any) -> Pick:
    """The pick of a rule."""
    fronts = [front] if isinstance(front, Front) else front
    return pick(fronts, PickRule.of(**rule), where=where)


def beta(picked: Pick) -> float:
    """The β of the choice."""
    return picked.choice.params["weighting.beta"]


@pytest.mark.parametrize(
    ("rule", "expected", "candidates"),
    [
        ({"max_rate": 5.0}, 0.2, 3),
        ({"max_rate": 4.99}, 0.3, 2),
        ({"max_rate": 100}, 0.1, 4),
        ({"min_accuracy": 0.7}, 0.3, 3),
        ({"min_accuracy": 0.71}, 0.2, 2),
        ({"min_accuracy": 0}, 0.4, 4),
        ({"knee": True}, 0.3, 4),
        ({"prefer": 0.0}, 0.4, 4),
        ({"prefer": 1.0}, 0.1, 4),
        # Scaled to 0 … 1, the rates are 0, ¼, ½, 1 and the lost bits 1, ⅓, ⅙, 0.
        ({"prefer": 0.5}, 0.3, 4),
        ({"prefer": 0.8}, 0.2, 4),
        ({"prefer": 0.2}, 0.4, 4),
    ],
)
def test_a_rule_chooses_by_the_validation_split(
    make: Any, rule: dict[str, Any], expected: float, candidates: int
) -> None:
    """The choice satisfies the rule on the validation split; its values are those of test."""
    picked = choose(make(), **rule)
    assert (beta(picked), picked.candidates) == (expected, candidates)
    rate, lost, accuracy = CURVE[expected]
    assert picked.choice.rate_bits == pytest.approx(rate + 0.5)
    assert picked.choice.lost_bits == pytest.approx(lost + 0.01)
    assert picked.choice.validation is not None
    assert picked.choice.validation.rate_bits == pytest.approx(rate)
    assert picked.choice.validation.accuracy == pytest.approx(accuracy)
    assert picked.split == "test"
    assert Pick.from_json(picked.to_json()) == picked


def test_knee_and_preference_do_not_depend_on_the_units(make: Any) -> None:
    """With all rates ten times as large, the rules choose the same setting."""
    larger = {b: (2 * rate, lost / 2, accuracy) for b, (rate, lost, accuracy) in CURVE.items()}
    for rule in ({"knee": True}, {"prefer": 0.3}, {"prefer": 0.5}, {"prefer": 0.8}):
        assert beta(choose(make(larger), **rule)) == beta(choose(make(), **rule))


def test_the_knee_is_the_point_farthest_below_the_chord(make: Any) -> None:
    """On random convex curves, the knee has the largest distance to the line of the ends."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        rates = np.sort(rng.uniform(0.5, 15, 8))
        lost = 2.5 * np.exp(-rates / rng.uniform(1, 8))
        curve = {float(i): (*pair, 0.5) for i, pair in enumerate(zip(rates, lost, strict=True))}
        chord = np.interp(rates, rates[[0, -1]], lost[[0, -1]])
        picked = choose(make(curve, seeds=[0]), knee=True)
        assert beta(picked) == float(np.argmax(chord - lost))


def test_a_preference_reaches_points_above_the_hull(make: Any) -> None:
    """No weighted sum selects the middle of a concave front; the weighted maximum does."""
    concave = {0.3: (1.0, 2.0, 0.5), 0.2: (5.0, 1.8, 0.6), 0.1: (9.0, 0.2, 0.9)}
    front = make(concave, seeds=[0])
    chosen = {beta(choose(front, prefer=w)) for w in np.linspace(0, 1, 101)}
    assert chosen == {0.1, 0.2, 0.3}
    with pytest.raises(ChoiceError, match="has no knee"):
        choose(front, knee=True)


def test_the_runner_up_differs_beyond_the_noise_of_seeds(make: Any) -> None:
    """The interval of the paired differences on test says whether the runner-up is behind."""
    clear = choose(make(), max_rate=5.0)
    assert clear.runner_up is not None
    assert clear.runner_up.params["weighting.beta"] == 0.3
    assert clear.margin is not None
    assert (clear.margin.criterion, clear.margin.seeds) == ("lost_bits", (0, 1, 2))
    assert clear.margin.difference == pytest.approx(0.4)
    assert clear.margin.shown
    assert "has 0.4 more lost bits on the test split" in clear.text
    assert "more than the noise of seeds" in clear.text
    noisy = choose(make(shift={(0.2, 0): 1.0, (0.3, 1): 0.9}), max_rate=5.0)
    assert noisy.margin is not None
    assert not noisy.margin.shown
    assert "may be the noise of seeds" in noisy.text


def test_a_runner_up_that_is_better_on_test_is_reported(make: Any) -> None:
    """A choice on validation may be behind on test; the text says so."""
    worse = {(0.2, seed): 1.0 + 0.01 * seed for seed in range(3)}
    picked = choose(make(shift=worse), max_rate=5.0)
    assert beta(picked) == 0.2
    assert picked.margin is not None
    assert picked.margin.difference == pytest.approx(-0.6, abs=0.02)
    assert "fewer lost bits on the test split (95 % confidence interval 0." in picked.text


def test_one_seed_cannot_tell_noise_from_a_difference(make: Any) -> None:
    """Without an interval the text says that the difference may be noise."""
    picked = choose(make(seeds=[4]), max_rate=5.0)
    assert picked.margin is not None
    assert (picked.margin.interval, picked.margin.shown) == (None, False)
    assert "with 1 seed: noise cannot be told from a difference" in picked.text
    assert picked.text.startswith("β 0.2 of sweep (1 seed, trial 0.2-4-trial): rate 5.5 bits")
    assert "\n" not in picked.text


def test_a_limit_that_test_does_not_keep_is_reported(make: Any) -> None:
    """On test the rate is 5.5 bits, above the limit of 5; the accuracy of 0.65 is below 0.7."""
    for rule, text in (
        ({"max_rate": 5.0}, "On the test split the rate is above the limit"),
        ({"min_accuracy": 0.7}, "On the test split the accuracy is below the limit"),
    ):
        picked = choose(make(), **rule)
        assert picked.limit is not None
        assert not picked.limit.kept
        assert text in picked.text
    kept = choose(make(), max_rate=5.6)
    assert kept.limit is not None
    assert (kept.limit.kept, kept.limit.shown) == (True, True)
    assert "limit" not in kept.text


def test_diverged_pruned_and_noiseless_settings_are_not_chosen(
    make: Any, make_trial: MakeTrial
) -> None:
    """A setting with a diverged or pruned seed, or without a rate, is left out and counted."""
    extra = [
        make_trial(beta=0.2, seed=3, status="diverged", name="bad"),
        make_trial(beta=0.1, seed=3, status="stopped", name="pruned"),
        make_trial(None, 0.0, beta=0.01, accuracy=1.0),
    ]
    picked = choose(make(extra=extra), max_rate=100)
    assert beta(picked) == 0.3
    assert picked.left_out == {
        "with a diverged trial": 1,
        "with a stopped trial": 1,
        "without a finite rate": 1,
    }
    assert "Settings left out: 1 with a" in picked.text


def test_a_setting_beyond_the_reference_point_does_not_move_the_scale(make: Any) -> None:
    """One trial with a huge rate changes neither knee nor preference."""
    with_huge = {**CURVE, 0.001: (1e9, 0.39, 0.9)}
    for rule in ({"knee": True}, {"prefer": 0.5}):
        assert beta(choose(make(with_huge), **rule)) == beta(choose(make(), **rule))


def test_the_best_trial_of_the_choice_is_named(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """`trial` is the seed that is best by the rule on validation, and keeps the limit there."""
    validation = {0: (4.0, 0.9, 0.8), 1: (4.8, 0.7, 0.8), 2: (5.6, 0.1, 0.9)}
    trials = [
        make_trial(4.8, 0.5, seed=seed, validation=measured, name=f"trial-{seed}")
        for seed, measured in validation.items()
    ]
    picked = choose(make_front(trials), max_rate=5.0)
    assert picked.trial == "trial-1"
    assert "Its best trial on the validation split is trial-1" in picked.text
    assert picked.runner_up is None
    assert "No other setting satisfies the rule" in picked.text


def test_a_rule_that_no_setting_satisfies_is_refused(make: Any, make_trial: MakeTrial) -> None:
    """The error has the nearest value; without any candidate it has the reasons."""
    for rule, text in (
        (
            {"max_rate": 0.5},
            "rate of at most 0.5 bits on the validation split; the lowest rate is 1",
        ),
        ({"min_accuracy": 0.95}, "accuracy of at least 0.95 on the validation split; the highest"),
    ):
        with pytest.raises(ChoiceError, match=text):
            choose(make(), **rule)
    noiseless = make({}, extra=[make_trial(None, 0.5, accuracy=1.0)])
    with pytest.raises(ChoiceError, match="can be chosen: 1 without a finite rate"):
        choose(noiseless, max_rate=5)
    with pytest.raises(ChoiceError, match="no trial has a result"):
        choose(make({}, extra=[make_trial(status="diverged")]), knee=True)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({}, "should be given; found none"),
        ({"max_rate": 5, "knee": True}, "found max_rate and knee"),
        ({"max_rate": -1}, "max_rate should be at least 0"),
        ({"max_rate": float("inf")}, "finite; found inf"),
        ({"min_accuracy": 95}, "min_accuracy should be at least 0 and at most 1; found 95"),
        ({"prefer": 1.1}, "prefer should be at least 0 and at most 1; found 1.1"),
        ({"prefer": float("nan")}, "found nan"),
    ],
)
def test_a_wrong_rule_is_refused(rule: dict[str, Any], text: str) -> None:
    """Exactly one rule is needed, with a value in its bounds."""
    with pytest.raises(ChoiceError, match=text):
        PickRule.of(**rule)


def test_conditions_of_a_pick_are_about_the_validation_split(make: Any) -> None:
    """An accuracy of 0.8 on validation is 0.75 on test, and the condition keeps it."""
    picked = choose(make(), ["accuracy>=0.8"], max_rate=100)
    assert (beta(picked), picked.candidates, picked.where) == (0.1, 2, ("accuracy>=0.8",))
    assert "Only trials with accuracy>=0.8 take part." in picked.text
    with pytest.raises(FilterError, match=r"accuracy is 0\.9"):
        choose(make(), ["accuracy>0.95"], knee=True)


def test_several_sweeps_are_searched_together(make: Any) -> None:
    """Equal settings of two sweeps count as one, with the seeds of both."""
    low, high = make(seeds=[0, 1], name="low"), make(seeds=[2, 3], name="high")
    picked = choose([low, high], max_rate=5.0)
    assert picked.choice.seeds == (0, 1, 2, 3)
    assert picked.choice.sweeps == ("low", "high")
    assert "β 0.2 of low and high (4 seeds)" in picked.text
    better = make({0.05: (2.0, 0.1, 0.99)}, name="better")
    assert choose([low, high, better], max_rate=5.0).choice.sweeps == ("better",)
    other = make(name="other", data={"name": "digits", "subset": 0.5})
    with pytest.raises(ComparisonError, match="same data"):
        choose([low, other], max_rate=5.0)
