"""Methods whose weighting has a preference: a grid of preferences, for any objective."""

from itertools import pairwise

import pytest

from paretoib.objectives import OBJECTIVES
from paretoib.specs import Range, SweepSpec

from .spec_errors import error_message

METHODS = ("epo", "smooth_chebyshev")


@pytest.mark.parametrize("method", METHODS)
def test_the_default_grid_has_16_preferences(method: str) -> None:
    """The odds λ/(1 − λ) are log-spaced from 0.01 to 100, so the preferences are symmetrical."""
    grid = SweepSpec.from_document({"method": method}).grid
    assert list(grid) == ["weighting.preference"]
    values = grid["weighting.preference"]
    assert len(values) == 16
    odds = [value / (1 - value) for value in values]
    ratio = 10 ** (4 / 15)
    assert odds[0] == pytest.approx(0.01, rel=1e-2)
    for low, high in pairwise(odds):
        assert high / low == pytest.approx(ratio, rel=1e-2)
    for low, high in zip(values, reversed(values), strict=True):
        assert low + high == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("trials", [3, 1000])
def test_the_number_of_trials_sets_the_number_of_preferences(trials: int) -> None:
    """All preferences of a grid of any size differ and lie between 0 and 1."""
    spec = SweepSpec.from_document({"method": "epo", "trials": 2 * trials, "seeds": [0, 1]})
    values = spec.grid["weighting.preference"]
    assert len(set(values)) == trials
    assert 0 < min(values) < max(values) < 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("objective", [n for n, e in OBJECTIVES.items() if len(e.losses) == 2])
def test_any_objective_with_two_losses_is_accepted(method: str, objective: str) -> None:
    """The grid of preferences is the same for each objective."""
    spec = SweepSpec.from_document({"method": method, "objective": objective})
    assert spec.objective.name == objective
    assert spec.grid == SweepSpec.from_document({"method": method}).grid


def test_other_searches_vary_the_preference() -> None:
    """A search that has no grid varies the preference from 0.02 to 0.98."""
    spec = SweepSpec.from_document({"method": "epo", "search": "random"})
    assert spec.space["weighting.preference"] == Range(low=0.02, high=0.98, scale="lin")


def test_epo_refuses_more_than_two_losses() -> None:
    """With two tasks, VIB has three losses."""
    message = error_message({"method": "epo", "data": "multi_mnist"})
    assert "weighting `epo` weighs 2 losses; objective `vib` has 3" in message
