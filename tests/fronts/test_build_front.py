"""Building a front from the trials of a sweep."""

from collections.abc import Callable

import pytest

from paretoib.fronts import GrowingFront, exact_curve
from paretoib.records import Front, ReferencePoint, TrialRecord

MakeTrial = Callable[..., TrialRecord]
MakeFront = Callable[..., Front]


def test_points_have_their_relation_to_the_front_and_the_hull(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """For five trials, `on_front`, β interval and hull gap agree with a calculation by hand."""
    trials = [
        make_trial(4.0, 0.0, name="right"),
        make_trial(0.0, 3.0, name="left"),
        make_trial(2.0, 2.0, name="above"),
        make_trial(1.0, 1.0, name="corner"),
        make_trial(3.0, 2.5, name="dominated"),
    ]
    front = make_front(trials)
    points = {p.trial: p for p in front.points}
    assert [p.trial for p in front.points] == ["left", "corner", "above", "dominated", "right"]
    assert {name for name, p in points.items() if p.on_front} == {"left", "corner", "right"}
    assert points["left"].beta_interval == (2.0, None)
    assert points["corner"].beta_interval == (pytest.approx(1 / 3), 2.0)
    assert points["right"].beta_interval == (0.0, pytest.approx(1 / 3))
    assert points["above"].beta_interval is None
    assert points["above"].hull_gap_bits == pytest.approx(2 - 2 / 3)
    assert front.hypervolume == pytest.approx(9 * 2 + 6 * 1)


def test_an_unsupported_point_is_on_the_front_without_a_beta(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """A non-dominated point above the hull has a hull gap and no β interval."""
    front = make_front([make_trial(0.0, 2.0), make_trial(1.0, 1.5), make_trial(2.0, 0.0)])
    middle = front.points[1]
    assert middle.on_front
    assert not middle.supported
    assert middle.beta_interval is None
    assert middle.hull_gap_bits == pytest.approx(0.5)


def test_trials_without_a_rate_are_not_on_the_front(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """A trial without noise is the last point and not on the front, even with 0 lost bits."""
    front = make_front([make_trial(None, 0.0, name="noiseless"), make_trial(1.0, 1.0)])
    last = front.points[-1]
    assert (last.trial, last.on_front, last.hull_gap_bits) == ("noiseless", False, None)
    assert front.hypervolume == pytest.approx(9 * 2)


def test_failed_trials_are_listed_with_their_reason_and_cost(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """Failed trials have no point, but they add to the cost and are counted by `order`."""
    trials = [
        make_trial(status="diverged", name="bad", seconds=5.0),
        make_trial(1.0, 1.0, seconds=2.0),
    ]
    front = make_front(trials)
    assert [(f.trial, f.reason) for f in front.failed] == [
        ("bad", "loss was not finite in epoch 3")
    ]
    assert (front.cost.trials, front.cost.seconds) == (2, 7.0)
    assert [(p.order, p.seconds) for p in front.points] == [(1, 2.0)]


def test_params_are_those_in_which_trials_differ(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """Params are the fields that differ and all hyperparameters of the weighting, not the seed."""
    model = {"name": "mlp", "hidden": [64]}
    trials = [
        make_trial(1.0, 1.0, beta=0.5, seed=0),
        make_trial(2.0, 0.5, beta=0.5, seed=1, model=model),
    ]
    assert [dict(p.params) for p in make_front(trials).points] == [
        {"model.hidden": [256, 256], "weighting.beta": 0.5},
        {"model.hidden": [64], "weighting.beta": 0.5},
    ]
    assert [p.seed for p in make_front(trials).points] == [0, 1]


def test_the_front_does_not_depend_on_the_order_of_equal_trials(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """Trials with equal measurements are all on the front, sorted by key."""
    trials = [make_trial(1.0, 1.0, name=name) for name in "cab"]
    for order in (trials, trials[::-1]):
        points = make_front(order).points
        assert [p.trial for p in points] == ["a", "b", "c"]
        assert all(p.on_front and p.supported for p in points)


def test_a_front_is_equal_after_json(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """Open β intervals, missing rates and failed trials are kept in JSON."""
    front = make_front([make_trial(1.0, 1.0), make_trial(None, 0.5), make_trial(status="failed")])
    assert Front.from_json(front.to_json()) == front


def test_a_growing_front_ends_with_the_hypervolume_of_the_front(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """The hypervolume of a growing front never falls and ends with the value for all trials."""
    trials = [
        make_trial(None, 0.2),
        make_trial(3.0, 1.0),
        make_trial(status="failed"),
        make_trial(4.0, 2.0),
        make_trial(1.0, 2.0),
    ]
    reference = ReferencePoint(rate_bits=10.0, lost_bits=3.0)
    growing = GrowingFront(reference)
    volumes = [growing.add(trial) for trial in trials]
    assert volumes == [0, 14, 14, 14, 16]
    assert make_front(trials).hypervolume == volumes[-1]


def test_a_sweep_without_trials_has_an_empty_front(make_front: MakeFront) -> None:
    """Without trials, a front has no points and a hypervolume of 0."""
    front = make_front([])
    assert (front.points, front.hypervolume, front.cost.trials) == ((), 0, 0)


def test_a_data_set_that_is_not_installed_here_has_no_exact_curve() -> None:
    """Without its plugin a data set has no exact curve, so stored fronts can still be read."""
    reference = ReferencePoint(rate_bits=10.0, lost_bits=1.0)
    assert exact_curve({"name": "of a plugin"}, ceiling_bits=1.0, reference=reference) is None
