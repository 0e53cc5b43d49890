"""Conditions select trials by fields, and settings by measures."""

from collections.abc import Callable

import pytest

from paretoib.errors import ComparisonError, FilterError
from paretoib.fronts import compare, filtered
from paretoib.records import Front, TrialRecord

MakeTrial = Callable[..., TrialRecord]
MakeFront = Callable[..., Front]


@pytest.fixture
def front(make_trial: MakeTrial, make_front: MakeFront) -> Front:
    """Three settings with two seeds each; a further trial has diverged."""
    accuracies = {0.1: (0.9, 0.7), 0.2: (0.85, 0.65), 0.4: (0.4, 0.6)}
    trials = [
        make_trial(
            10 * beta,
            3.0 - 4 * beta,
            beta=beta,
            seed=seed,
            accuracy=accuracies[beta][seed],
            validation=(10 * beta, 3.0 - 4 * beta, 0.5),
            model={"name": "mlp", "hidden": [64] if beta < 0.3 else [64, 64]},
        )
        for beta in accuracies
        for seed in (0, 1)
    ]
    front = make_front([*trials, make_trial(beta=0.4, seed=2, status="diverged", name="bad")])
    spec = {"model": {"name": "mlp"}, "weighting": {"name": "linear"}, **front.sweep.spec}
    return front.model_copy(update={"sweep": front.sweep.model_copy(update={"spec": spec})})


def betas(front: Front) -> list[float]:
    """The β of the trials of a front, by rate."""
    return [point.params["weighting.beta"] for point in front.points]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["beta<0.2"], [0.1, 0.1]),
        (["beta <= 0.2"], [0.1, 0.1, 0.2, 0.2]),
        (["weighting.beta>0.1", "beta<0.4"], [0.2, 0.2]),
        (["beta=.2"], [0.2, 0.2]),
        (["beta==0.2"], [0.2, 0.2]),
        (["beta!=0.2"], [0.1, 0.1, 0.4, 0.4]),
        (["seed=1"], [0.1, 0.2, 0.4]),
        (["hidden=[64]"], [0.1, 0.1, 0.2, 0.2]),
        (["hidden=64,64"], [0.4, 0.4]),
        (["weighting=linear", "beta>=0.4"], [0.4, 0.4]),
        (["subset>0.5", "data.name=digits", "beta<0.2"], [0.1, 0.1]),
        (["rate_bits<1.5"], [0.1, 0.1]),
        (["seconds<=1"], [0.1, 0.1, 0.2, 0.2, 0.4, 0.4]),
        # The means over seeds are 0.8, 0.75 and 0.5: no setting loses only its bad seed.
        (["accuracy>=0.75"], [0.1, 0.1, 0.2, 0.2]),
        (["accuracy>0.79"], [0.1, 0.1]),
        (["accuracy<=0.75", "accuracy!=0.5"], [0.2, 0.2]),
        (["accuracy>0.75"], [0.1, 0.1]),
        (["accuracy>=0.85", "seed=0"], [0.1, 0.2]),
    ],
)
def test_conditions_select_trials_and_settings(
    front: Front, conditions: list[str], expected: list[float]
) -> None:
    """All conditions hold for a trial that is kept; a measure is the mean over the seeds."""
    (kept,) = filtered([front], conditions)
    assert betas(kept) == expected
    assert len(kept.where) == len(conditions)
    if len(conditions) == 1:
        assert filtered([front], conditions[0]) == [kept]  # a text alone is one condition


def test_the_front_is_that_of_the_trials_that_are_left(front: Front) -> None:
    """Front, hypervolume, settings and replicates are computed again without the other trials."""
    (kept,) = filtered([front], ["beta>=0.2", "seed<2"])
    assert [s.params["weighting.beta"] for s in kept.settings] == [0.2, 0.4]
    # The two trials at (2, 2.2) and (4, 1.4), up to the reference point at (10, 3).
    assert kept.hypervolume == pytest.approx(0.8 * 8 + 0.8 * 6)
    assert kept.replicates is not None
    assert kept.replicates.hypervolume_of_means == pytest.approx(kept.hypervolume)
    assert kept.failed == ()


def test_a_field_takes_its_trials_out_of_the_cost_and_a_measure_does_not(front: Front) -> None:
    """A trial had to be trained to be measured, so the cost includes what a measure leaves out."""
    assert front.cost.trials == 7
    (by_field,) = filtered([front], ["beta<0.4"])
    assert (by_field.cost.trials, len(by_field.failed)) == (4, 0)
    (by_measure,) = filtered([front], ["accuracy>0.7"])
    assert (by_measure.cost.trials, len(by_measure.failed)) == (7, 1)
    curve = by_measure.hypervolume_curve
    assert curve is not None
    assert curve.trials == tuple(range(1, 8))
    assert curve.hypervolume[-1] == by_measure.hypervolume


def test_the_split_of_measures_can_be_chosen(front: Front) -> None:
    """On the validation split all accuracies are 0.5."""
    assert len(filtered([front], ["accuracy=0.5"], split="validation")[0].points) == 6
    with pytest.raises(FilterError, match=r"nearest value of accuracy is 0\.5"):
        filtered([front], ["accuracy>0.5"], split="validation")
    with pytest.raises(FilterError, match="unknown field `accuracy_sampled`"):
        filtered([front], ["accuracy_sampled>0.5"], split="validation")


@pytest.mark.parametrize(
    ("condition", "parts"),
    [
        ("acuracy>0.9", ["unknown field `acuracy`", "did you mean `accuracy`"]),
        ("bta<1", ["unknown field `bta`", "`beta`"]),
        ("zzz<1", ["unknown field `zzz`", "known: rate_bits", "weighting.beta", "seed"]),
        ("name=mlp", ["several sections", "data.name", "model.name"]),
        ("beta", ["FIELD<VALUE", "`beta`"]),
        ("beta<", ["FIELD<VALUE", "`beta<`"]),
        ("<3", ["FIELD<VALUE"]),
        ("beta<many", ["`<` needs a number", "'many'"]),
        ("accuracy>true", ["`>` needs a number", "True"]),
        ("hidden>3", ["compares numbers", "[64]"]),
        ("beta=0.1999", ["no trial satisfies `beta=0.1999`", "nearest value", "is 0.2"]),
        ("rate_bits>100", ["no trial satisfies `rate_bits>100`", "is 4"]),
        ("model=cnn", ["no trial satisfies `model=cnn`", "model.name are 'mlp'"]),
    ],
)
def test_a_wrong_condition_is_refused(front: Front, condition: str, parts: list[str]) -> None:
    """The error has one line: the rule, the value found, and near names or values."""
    with pytest.raises(FilterError) as caught:
        filtered([front], [condition])
    assert "\n" not in str(caught.value)
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_conditions_that_exclude_each_other_are_named(front: Front) -> None:
    """If each condition alone has trials, the error names all of them."""
    with pytest.raises(FilterError, match=r"satisfies `beta<0.2` and `accuracy<0.6`"):
        filtered([front], ["beta<0.2", "accuracy<0.6"])


def test_a_comparison_filters_both_sides(
    front: Front, make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """A field needs to be known in one sweep only; a side without trials is an error."""
    weighting = {"name": "mib", "mu": 0.5}
    other = make_front(
        [make_trial(1.0, 1.0, seed=s, accuracy=0.95, weighting=weighting) for s in (0, 1)],
        name="other",
        method="mib",
    )
    comparison = compare([front], [other], where=["accuracy>0.7", "seed=0"])
    assert comparison.where == ("accuracy>0.7", "seed=0")
    assert [p.seed for p in comparison.points] == [0, 0, 0]
    with pytest.raises(
        ComparisonError, match=r"finite rate with beta<0\.2; found none on the right"
    ):
        compare([front], [other], where=["beta<0.2"])
