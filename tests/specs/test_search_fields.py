"""What a sweep says of its search: objectives, generations, seeds, limits."""

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

from .searching import refusal, sweep

LEARNING = [name for name, row in SEARCHES.items() if row.learns]


@pytest.mark.parametrize("search", SEARCHES)
def test_generations_and_trials_have_defaults(search: str) -> None:
    """All of them are filled in, and a sweep read back is the same."""
    spec = sweep(search=search)
    assert spec.trials >= 12
    assert (spec.population > 0) == (search not in ("grid", "random"))
    assert SweepSpec.from_json(spec.to_json()) == spec
    assert sweep(search=search, population=6).population == 6


def test_a_search_that_needs_no_seeds_has_one() -> None:
    """Grid and adaptive train each setting for every seed; others give each trial one."""
    assert sweep(method="mib", search="adaptive").seeds == (0, 1, 2)
    assert sweep(method="mib").seeds == (0,)
    assert sweep(method="mib", seeds=[1, 2], trials=7).trials == 7
    said = refusal(search="adaptive", seeds=[1, 2], trials=7)
    assert "trials: should be a multiple of the number of seeds (2)" in said
    assert sweep(search="adaptive", seeds=[1, 2]).population == 8


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"objectives": ["rate"]}, "objectives: should have at least 2 items"),
        ({"objectives": ["rate", "rate"]}, "objectives: should differ; found ['rate', 'rate']"),
        ({"objectives": ["rate", "loss"]}, "objectives.1: should be 'rate', 'lost', 'error' or"),
        ({"population": -1}, "population: should be greater than or equal to 0; found -1"),
        ({"budget": {"seconds": 0}}, "budget.seconds: should be greater than 0; found 0"),
        ({"budget": {"device_seconds": -1}}, "budget.device_seconds: should be greater than 0"),
        ({"budget": {"trials": 3}}, "budget.trials: unknown field; found value 3"),
        ({"budget": 3}, "budget: should be a mapping"),
        ({"prune": {"rungs": []}}, "prune.rungs: should have at least 1 item"),
        ({"prune": {"rungs": [0.5, 0.5]}}, "prune.rungs: should rise; found [0.5, 0.5]"),
        ({"prune": {"rungs": [1]}}, "prune.rungs.0: should be less than 1; found 1"),
        ({"prune": {"keep": 0}}, "prune.keep: should be greater than 0; found 0"),
        ({"plateau": {"percent": 0}}, "plateau.percent: should be greater than 0; found 0"),
        ({"plateau": {"trials": 0}}, "plateau.trials: should be greater than or equal to 1; fou"),
        ({"trial_seconds": 0}, "trial_seconds: should be greater than 0; found 0"),
    ],
)
def test_limits_out_of_range(document: Any, message: str) -> None:
    """With the bound and the value."""
    assert message in refusal(**document)


@pytest.mark.parametrize("search", LEARNING)
def test_what_cannot_be_learnt_from_is_refused(search: str) -> None:
    """One trial a generation, or a rate that is infinite for every trial."""
    said = f"population: should be 2 or more for search `{search}`; found 1"
    assert said in refusal(search=search, population=1)
    document = {"method": "deterministic", "search": search}
    with pytest.raises(SpecError, match=r"objectives: should be without rate, as objective `det"):
        SweepSpec.from_document(document)
    assert SweepSpec.from_document(document | {"objectives": ["lost", "cost"]}).trials


def test_limits_are_off_by_default_and_have_defaults_of_their_own() -> None:
    """A section that is named at all is on."""
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


def test_nothing_of_the_search_is_in_a_trial() -> None:
    """Whatever it says, the trials are those that another search could have had."""
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
