"""Trials that differ only in the seed: the means of settings, and the front of these means."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import t as student

from paretoib.fronts import compare, hypervolume
from paretoib.records import Front, Setting, TrialRecord

MakeTrial = Callable[..., TrialRecord]
MakeFront = Callable[..., Front]

RATES = {0.1: (1.0, 1.2, 1.6), 0.5: (0.4, 0.5, 0.3)}  # rates of three seeds, by β


@pytest.fixture
def front(make_trial: MakeTrial, make_front: MakeFront) -> Front:
    """The front of two settings with three seeds each, as the grid search orders the trials."""
    return make_front(
        [
            make_trial(rates[seed], 2.0 - beta, beta=beta, seed=seed, accuracy=0.5 + 0.1 * seed)
            for seed in range(3)
            for beta, rates in RATES.items()
        ]
    )


def by_beta(front: Front) -> dict[float, Setting]:
    """The settings of a front, by β."""
    return {setting.params["weighting.beta"]: setting for setting in front.settings}


def test_a_setting_has_the_means_and_students_intervals_of_its_seeds(front: Front) -> None:
    """Each measure is the mean over seeds; its interval is the textbook's."""
    settings = by_beta(front)
    assert [*settings] == [0.5, 0.1]  # by rate
    for beta, rates in RATES.items():
        setting = settings[beta]
        assert setting.seeds == (0, 1, 2)
        assert [*setting.trials] == [f"{r}-{2.0 - beta}-{beta}-{s}" for s, r in enumerate(rates)]
        assert setting.rate_bits == pytest.approx(np.mean(rates))
        assert setting.accuracy == pytest.approx(0.6)
        low, high = student.interval(
            0.95, df=2, loc=np.mean(rates), scale=np.std(rates, ddof=1) / np.sqrt(3)
        )
        assert setting.intervals["rate_bits"].low == pytest.approx(low)
        assert setting.intervals["rate_bits"].high == pytest.approx(high)
        assert setting.validation is not None
        assert setting.validation.lost_bits == pytest.approx(2.0 - beta)


def test_the_front_of_the_means_is_not_the_front_of_the_luckiest_seeds(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """A setting with one lucky seed is on the front of all trials, not on that of the means."""
    lucky = [make_trial(1.0, lost, beta=0.2, seed=s) for s, lost in enumerate((0.5, 2.0, 2.0))]
    steady = [make_trial(1.0, 1.0, beta=0.1, seed=s) for s in range(3)]
    front = make_front([*lucky, *steady])
    assert [p.params["weighting.beta"] for p in front.points if p.on_front] == [0.2]
    assert {b for b, setting in by_beta(front).items() if setting.on_front} == {0.1}
    assert front.replicates is not None
    # The luck of one seed is a third of the mean over the fronts of single seeds.
    corner = (front.reference.rate_bits, front.reference.lost_bits)
    volumes = [hypervolume([[1.0, min(lost, 1.0)]], corner) for lost in (0.5, 2.0, 2.0)]
    assert front.replicates.seed_hypervolumes == pytest.approx(volumes)
    assert front.replicates.hypervolume_of_means == pytest.approx(hypervolume([[1, 1]], corner))
    assert front.hypervolume == pytest.approx(max(volumes))
    interval = front.replicates.hypervolume_interval
    assert interval is not None
    assert min(volumes) <= interval.low <= np.mean(volumes) <= interval.high <= max(volumes)


def test_one_seed_is_not_a_replicate(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """With one seed for each setting, settings equal trials, and there are no intervals.

    The same holds if each trial has another seed, as in a random search.
    """
    for seeds in ((0, 0), (0, 1)):
        front = make_front(
            [make_trial(1.0 + s, 1.0 - s / 2, beta=0.1 + i, seed=s) for i, s in enumerate(seeds)]
        )
        assert not front.replicated
        for point, setting in zip(front.points, front.settings, strict=True):
            assert (setting.seeds, setting.trials) == ((point.seed,), (point.trial,))
            assert setting.intervals == {}
            for name in ("rate_bits", "lost_bits", "on_front", "beta_interval", "validation"):
                assert getattr(setting, name) == getattr(point, name)


def test_two_seeds_have_a_mean_without_an_interval(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """An interval needs three seeds."""
    front = make_front([make_trial(rate, 1.0, seed=i) for i, rate in enumerate((1.0, 2.0))])
    (setting,) = front.settings
    assert front.replicated
    assert (setting.rate_bits, setting.intervals) == (1.5, {})


def test_trials_without_a_result_are_counted_in_their_setting(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """The mean is that of the other seeds; a seed whose trials all diverged has hypervolume 0."""
    front = make_front(
        [
            make_trial(1.0, 1.0, seed=0),
            make_trial(2.0, 1.0, seed=1),
            make_trial(seed=2, status="diverged", name="bad"),
            make_trial(seed=3, status="stopped", name="pruned"),
        ]
    )
    (setting,) = front.settings
    assert (setting.rate_bits, setting.seeds) == (1.5, (0, 1))
    assert setting.failed == {"diverged": 1, "stopped": 1}
    assert front.replicates is not None
    assert front.replicates.seeds == (0, 1, 2)
    assert front.replicates.seed_hypervolumes[2] == 0


def test_settings_without_a_finite_rate_come_last(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """A noiseless encoder has a mean of lost bits, no rate, and no place on the front."""
    noiseless = [make_trial(None, 0.1, beta=0.3, seed=s) for s in range(3)]
    front = make_front([*noiseless, *(make_trial(1.0, 1.0, seed=s) for s in range(3))])
    last = front.settings[-1]
    assert (last.rate_bits, last.on_front) == (None, False)
    assert last.lost_bits == pytest.approx(0.1)
    assert "rate_bits" not in last.intervals


def test_the_hypervolume_is_known_after_each_trial(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """The curve has the hypervolume over trials and over training time, failed trials included."""
    trials = [
        make_trial(3.0, 1.0, seconds=2.0),
        make_trial(status="failed", seconds=5.0),
        make_trial(1.0, 2.0, seconds=1.0),
        make_trial(4.0, 2.0, seconds=1.0),
    ]
    front = make_front(trials)
    curve = front.hypervolume_curve
    assert curve is not None
    assert curve.trials == (1, 2, 3, 4)
    assert curve.seconds == (2.0, 7.0, 8.0, 9.0)
    for count, volume in zip(curve.trials, curve.hypervolume, strict=True):
        assert volume == pytest.approx(make_front(trials[:count]).hypervolume)
    assert curve.hypervolume[-1] == front.hypervolume


def test_sweeps_of_a_side_share_their_settings(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """In a comparison, two sweeps with other seeds give a setting with the seeds of both.

    The curve of a side takes the trials of its sweeps in turn.
    """
    low, high = (
        make_front([make_trial(1.0 + s, 1.0, seed=s, seconds=1.0 + s) for s in seeds], name=name)
        for name, seeds in (("low", (0, 1)), ("high", (2, 3)))
    )
    other = make_front([make_trial(0.5, 0.5)], name="other", method="mib")
    comparison = compare([low, high], [other])
    setting, better = comparison.settings
    assert (setting.side, setting.sweeps, setting.seeds) == ("left", ("low", "high"), (0, 1, 2, 3))
    assert (setting.rate_bits, setting.dominated_by_other) == (2.5, True)
    assert setting.dominated_bits == pytest.approx(0.5)
    assert (better.side, better.dominated_by_other) == ("right", False)
    # The sweep `high` has the smaller id, so its trial comes first.
    assert comparison.hypervolume_curves["left"].seconds == (3.0, 4.0, 8.0, 10.0)
    assert comparison.hypervolume_curves["right"].trials == (1,)


def test_a_front_of_an_older_version_has_no_settings(front: Front) -> None:
    """A document without the new fields is read, and counts as a front without replicates."""
    document = front.document
    for field in ("settings", "replicates", "hypervolume_curve", "where"):
        del document[field]
    for point in document["points"]:
        for field in ("validation", "tasks", "accuracy_sampled"):
            del point[field]
    older = Front.from_document(document)
    assert not older.replicated
    assert "6 trials on the front" in str(older)
    assert len(older.rows()) == 6
