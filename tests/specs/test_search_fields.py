"""Fields of a sweep that concern its search: objectives, population, seeds, limits."""

from typing import Any

import pytest

from paretoib.errors import SpecError
from paretoib.specs import (
    SEARCHES,
    Budget,
    Plateau,
    Prune,
    SweepSpec,
)

from .search_specs import error_message, sweep

USING_RESULTS = [name for name, entry in SEARCHES.items() if entry.uses_results]


@pytest.mark.parametrize("search", SEARCHES)
def test_population_and_trials_have_defaults(search: str) -> None:
    """`grid` and `random` have no generations, so their default population is 0."""
    spec = sweep(search=search)
    assert spec.trials >= 12
    assert (spec.population > 0) == (search not in ("grid", "random"))
    assert SweepSpec.from_json(spec.to_json()) == spec
    assert sweep(search=search, population=6).population == 6


def test_the_default_seeds_depend_on_the_search() -> None:
    """With `mib`, `adaptive` trains each setting with seeds 0, 1 and 2; `random` uses only 0."""
    assert sweep(method="mib", search="adaptive").seeds == (0, 1, 2)
    assert sweep(method="mib").seeds == (0,)
    assert sweep(method="mib", seeds=[1, 2], trials=7).trials == 7
    message = error_message(search="adaptive", seeds=[1, 2], trials=7)
    assert "trials: should be a multiple of the number of seeds (2)" in message
    assert sweep(search="adaptive", seeds=[1, 2]).population == 8


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"objectives": ["rate"]}, "objectives: should have at least 2 items"),
        (
            {"objectives": ["rate", "rate"]},
            "objectives: should have no value twice; found ['rate', 'rate']",
        ),
        ({"objectives": ["rate", "loss"]}, "objectives.1: should be 'rate', 'lost', 'error' or"),
        ({"population": -1}, "population: should be greater than or equal to 0; found -1"),
        ({"budget": {"seconds": 0}}, "budget.seconds: should be greater than 0; found 0"),
        ({"budget": {"device_seconds": -1}}, "budget.device_seconds: should be greater than 0"),
        ({"budget": {"trials": 3}}, "budget.trials: unknown field; found value 3"),
        ({"budget": 3}, "budget: should be a mapping"),
        ({"prune": {"rungs": []}}, "prune.rungs: should have at least 1 item"),
        ({"prune": {"rungs": [0.5, 0.5]}}, "prune.rungs: should increase; found [0.5, 0.5]"),
        ({"prune": {"rungs": [1]}}, "prune.rungs.0: should be less than 1; found 1"),
        ({"prune": {"keep": 0}}, "prune.keep: should be greater than 0; found 0"),
        ({"plateau": {"percent": 0}}, "plateau.percent: should be greater than 0; found 0"),
        ({"plateau": {"trials": 0}}, "plateau.trials: should be greater than or equal to 1; fou"),
        ({"trial_seconds": 0}, "trial_seconds: should be greater than 0; found 0"),
    ],
)
def test_limits_out_of_range_are_refused(document: Any, message: str) -> None:
    """The message for an invalid value of a search field gives the field and the rule."""
    assert message in error_message(**document)


@pytest.mark.parametrize("search", USING_RESULTS)
def test_searches_that_use_results_need_a_population_and_finite_objectives(search: str) -> None:
    """A generation needs two trials, and a noiseless encoder has no finite rate to minimise."""
    message = f"population: should be 2 or more for search `{search}`; found 1"
    assert message in error_message(search=search, population=1)
    document = {"method": "deterministic", "search": search}
    with pytest.raises(
        SpecError, match=r"objectives: should not include rate, because objective `det"
    ):
        SweepSpec.from_document(document)
    assert SweepSpec.from_document(document | {"objectives": ["lost", "cost"]}).trials


def test_limits_are_off_by_default() -> None:
    """Limits are off by default; `prune: {}` and `plateau: {}` turn them on with default values."""
    spec = sweep()
    assert (spec.budget, spec.prune, spec.plateau, spec.trial_seconds) == (
        Budget(seconds=None, device_seconds=None),
        None,
        None,
        None,
    )
    spec = sweep(prune={}, plateau={}, budget={"seconds": 60})
    assert spec.prune == Prune(rungs=(0.25, 0.5), keep=0.5)
    assert spec.plateau == Plateau(percent=1, trials=20)
    assert (spec.budget.seconds, spec.budget.device_seconds) == (60, None)
    assert SweepSpec.from_yaml(spec.to_yaml()) == spec


def test_a_trial_has_no_fields_of_the_search() -> None:
    """Two searches with different fields can propose the same trial."""
    full = sweep(
        search="optuna-tpe",
        objectives=["lost", "cost"],
        population=3,
        budget={"seconds": 1},
        prune={},
        plateau={},
        trial_seconds=5,
    )
    assert full.template == sweep(search="grid").template
    assert full.template.document.keys() == {
        "schema",
        "data",
        "model",
        "objective",
        "weighting",
        "training",
        "seed",
    }
