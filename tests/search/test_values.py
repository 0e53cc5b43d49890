"""The values of a trial's search objectives: rate, lost, error and cost."""

from typing import Any

import pytest

from paretoib.records import Metrics, TrialRecord
from paretoib.search._values import values_of

ALL = ("rate", "lost", "error", "cost")


def record(status: Any = "finished", **changes: Any) -> TrialRecord:
    """A trial with different metrics on both splits; `changes` replace validation metrics."""
    metrics = {
        "examples": 100,
        "rate_bits": 6.0,
        "rate_lower_bits": 5.0,
        "rate_se_bits": None,
        "relevance_bits": 1.5,
        "relevance_se_bits": 0.0,
        "ceiling_bits": 2.0,
        "lost_bits": 0.5,
        "cross_entropy_bits": 0.5,
        "accuracy": 0.75,
    }
    return TrialRecord(
        trial="a",
        spec={},
        status=status,
        validation=Metrics.model_validate(metrics | changes),
        test=Metrics.model_validate(metrics | {"rate_bits": 9.0, "lost_bits": 9.0}),
        seconds=12.34,
    )


def test_rate_and_lost_bits_are_divided_by_the_reference_point() -> None:
    """The default reference point is (10 · ceiling, ceiling). Error and cost are not divided."""
    assert values_of(record(), ALL, None) == (6 / 20, 0.5 / 2, 0.25, 12.0)
    assert values_of(record(), ALL, (3.0, 1.0)) == (2, 0.5, 0.25, 12.0)


def test_values_have_the_order_of_the_sweeps_objectives() -> None:
    """There is one value for each search objective that the sweep names, in the same order."""
    assert values_of(record(), ("cost", "lost"), None) == (12.0, 0.25)


@pytest.mark.parametrize(
    ("field", "value"), [("rate_bits", 6.0049), ("lost_bits", 0.4951), ("accuracy", 0.7504)]
)
def test_differences_below_the_rounding_are_ignored(field: str, value: float) -> None:
    """Values are rounded so that a trial has equal values in different packs."""
    assert values_of(record(**{field: value}), ALL, None) == values_of(record(), ALL, None)
    larger = record(**{field: value * 1.1})
    assert values_of(larger, ALL, None) != values_of(record(), ALL, None)


@pytest.mark.parametrize("status", ["failed", "diverged", "stopped"])
def test_a_trial_without_validation_metrics_has_no_values(status: str) -> None:
    """A trial has no values if it did not finish or has no validation metrics."""
    assert values_of(record(status), ALL, None) is None
    unmeasured = record().model_copy(update={"validation": None})
    assert values_of(unmeasured, ALL, None) is None


@pytest.mark.parametrize(("field", "objective"), [("rate_bits", "rate"), ("accuracy", "error")])
def test_a_trial_without_one_objective_has_no_values(field: str, objective: str) -> None:
    """Without a finite rate there is no `rate`; without an accuracy there is no `error`."""
    without = record(**{field: None})
    assert values_of(without, ("lost", objective), None) is None
    assert values_of(without, ("lost", "cost"), None) == (0.25, 12.0)


def test_bits_are_not_divided_by_a_ceiling_of_zero() -> None:
    """If the ceiling is 0 bits, as for a split with one class, bits are not divided."""
    assert values_of(record(ceiling_bits=0.0), ("rate", "lost"), None) == (6.0, 0.5)
