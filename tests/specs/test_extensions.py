"""Extensions: which trials, seeds and values can be added to a sweep, and its history."""

from datetime import UTC, datetime
from typing import Any

import pytest

from paretoib.errors import SpecError
from paretoib.specs import Additions, Range, SweepSpec, extended

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
GRID = {"method": "vib", "grid": {"beta": [0.01, 0.1, 1]}}
GAPS = {"method": "vib", "search": "adaptive", "trials": 12, "seeds": [0, 5], "population": 8}
CUBE = {"method": "mgda", "trials": 6, "seeds": [0, 1]}
TPE = {"method": "vib", "search": "optuna-tpe", "trials": 16}


def extend(document: dict[str, Any], ended: int = 3, **additions: Any) -> SweepSpec:
    """The sweep of the document after an extension."""
    spec = SweepSpec.from_document(document)
    return extended(spec, Additions.from_document(additions), ended=ended, at=NOON)


@pytest.mark.parametrize(
    ("additions", "trials", "seeds", "varied"),
    [
        ({"seeds": [3, 4]}, 9, (0, 3, 4), {"weighting.beta": (0.01, 0.1, 1)}),
        ({"seeds": "3, 4"}, 9, (0, 3, 4), {"weighting.beta": (0.01, 0.1, 1)}),
        ({"seeds": "+2"}, 9, (0, 1, 2), {"weighting.beta": (0.01, 0.1, 1)}),
        ({"seeds": [0, 3, 3]}, 6, (0, 3), {"weighting.beta": (0.01, 0.1, 1)}),
        ({"grid": {"beta": "0.1,0.3"}}, 4, (0,), {"weighting.beta": (0.01, 0.1, 1, 0.3)}),
        ({"grid": {"weighting.beta": "0.1:10:3"}}, 4, (0,), {"weighting.beta": (0.01, 0.1, 1, 10)}),
        (
            {"grid": {"epochs": [100], "beta": [2]}, "seeds": "+1"},
            16,
            (0, 1),
            {"weighting.beta": (0.01, 0.1, 1, 2), "training.epochs": (50, 100)},
        ),
    ],
)
def test_a_grid_gets_values_and_seeds(
    additions: dict[str, Any], trials: int, seeds: tuple[int, ...], varied: dict[str, Any]
) -> None:
    """A grid keeps its values and seeds and gets the new ones, each of them once.

    A field without an axis gets one that starts with the field's value.
    """
    spec = extend(GRID, **additions)
    assert (spec.trials, spec.seeds, spec.varied) == (trials, seeds, varied)


@pytest.mark.parametrize(
    ("document", "additions", "trials", "population"),
    [
        (GAPS, {"trials": "+4"}, 16, 8),
        (GAPS, {"trials": 18}, 18, 8),
        (GAPS, {"seeds": "+1"}, 18, 12),
        (GAPS, {"seeds": "+1", "trials": "+6"}, 24, 12),
        (GAPS, {"seeds": "+1", "trials": 24}, 24, 12),
        (CUBE, {"trials": "+2"}, 8, 0),
        (CUBE, {"seeds": [7]}, 9, 0),
        (TPE, {"trials": "+3"}, 19, 8),
    ],
)
def test_trials_are_added_to_those_of_all_seeds(
    document: dict[str, Any], additions: dict[str, Any], trials: int, population: int
) -> None:
    """New seeds train the present settings too, and `+N` counts from there.

    A generation keeps its number of settings.
    """
    spec = extend(document, **additions)
    assert (spec.trials, spec.population) == (trials, population)


def test_a_range_gets_wider_and_choices_get_more() -> None:
    """With search `adaptive`, `space` and `grid` add values to fields, whether varied or not."""
    wider = extend(GAPS, trials="+4", space={"beta": "1e-6:10"})
    assert wider.space["weighting.beta"] == Range(low=1e-6, high=10)
    more = extend(GAPS, trials="+4", grid={"latent": [4]}, space={"epochs": [10, 50]})
    assert more.varied["model.latent"] == (32, 4)
    assert more.varied["training.epochs"] == (50, 10)
    again = extend(more.document, trials="+4", grid={"latent": [8]})
    assert again.varied["model.latent"] == (32, 4, 8)
    cube = extend(CUBE, trials="+2", space={"initial_scale": "0.01:2", "epochs": [100]})
    assert cube.space["model.initial_scale"] == Range(low=0.01, high=2)
    assert cube.space["training.epochs"] == (12, 25, 50, 100)


def test_an_extended_spec_has_its_history() -> None:
    """The history has the time, the number of ended trials and the fields before.

    `stages` are the specs from before each extension, and the history survives JSON.
    """
    first = SweepSpec.from_document(GAPS)
    second = extend(GAPS, 12, trials="+4")
    third = extend(second.document, 15, seeds="+1")
    assert [e.document for e in third.extensions] == [
        {"at": "2026-01-01T12:00:00Z", "ended": 12, "before": {"trials": 12}},
        {
            "at": "2026-01-01T12:00:00Z",
            "ended": 15,
            "before": {"trials": 16, "seeds": [0, 5], "population": 8},
        },
    ]
    read = SweepSpec.from_json(third.to_json())
    assert read == third
    assert read.stages[0] == first
    assert read.stages[1] == second.model_copy(update={"extensions": ()})
    assert read.stages[2] is read


@pytest.mark.parametrize(
    ("document", "additions", "message"),
    [
        (GRID, {}, "should add trials, seeds or values of fields; found none"),
        (GRID, {"seeds": [0]}, "found only values that it has: {'seeds': [0]}"),
        (GRID, {"grid": {"beta": [0.1]}}, "to the 3 trials of the sweep; found only values"),
        (GRID, {"grid": {"epochs": [50]}}, "found only values that it has"),
        (GRID, {"trials": "+16"}, "trials: should be left out for search `grid`"),
        (GRID, {"space": {"beta": "1:2"}}, "space: should be left out for search `grid`"),
        (GRID, {"grid": {"nope": [1]}}, "unknown field `nope`"),
        (GRID, {"grid": {"seed": [1]}}, "seed: should be added as `seeds`"),
        (GRID, {"grid": {"fold": [1]}}, "data.fold: should stay as it is"),
        (GRID, {"grid": {"beta": ["x"]}}, "weighting.beta: should be a valid number"),
        (GRID, {"epochs": 100}, "trained trials cannot train further; found 100: values of"),
        (GRID, {"training": {"epochs": 9}}, "training: should stay as it is"),
        (GRID, {"method": "mib"}, "method: should stay as it is when a sweep is extended; found"),
        (GRID, {"data": "gaussian"}, "data: should stay as it is"),
        (GRID, {"objective": "vib"}, "objective: should stay as it is"),
        (GRID, {"budget": {}}, "budget: unknown field"),
        (GRID, {"trials": "many"}, "trials: should be the new number, or +N for N more"),
        (GRID, {"trials": True}, "trials: should not be true or false"),
        (GRID, {"seeds": 3}, "seeds: should be seeds such as 3,4, or +N for N more; found 3"),
        (GRID, {"seeds": [-1]}, "seeds: should be seeds such as 3,4"),
        (GRID, {"seeds": [2**31]}, "seeds: should be seeds such as 3,4"),
        (GAPS, {"trials": 12}, "should be more than the 12 that the sweep has, or +N"),
        (GAPS, {"trials": 16, "seeds": "+1"}, "more than the 18 that the sweep has with the new"),
        (GAPS, {"trials": "+3"}, "trials: should be a multiple of the number of seeds (2)"),
        (GAPS, {"space": {"beta": "1e-6:1"}}, "trials: should be given with `grid` or `space`"),
        (GAPS, {"trials": "+2", "space": {"beta": "1e-3:1"}}, "contain the present range log:"),
        (GAPS, {"trials": "+2", "space": {"beta": "lin:0:9"}}, "contain the present range log:"),
        (GAPS, {"trials": "+2", "space": {"mu": "1:2"}}, "unknown field `mu`"),
        (GAPS, {"trials": "+2", "space": {"latent": "1:2"}}, "should be a field with a range"),
        (GAPS, {"trials": "+2", "grid": {"beta": [3]}}, "`space` makes it wider"),
        (GAPS, {"trials": "+2", "grid": {"latent": [3]}, "space": {"latent": [4]}}, "of `grid`"),
        (TPE, {"seeds": "+1"}, "seeds: should be added to a sweep with search grid and adaptive"),
        (TPE, {"trials": "+1", "space": {"beta": "1e-9:1"}}, "can be extended by `trials` only"),
    ],
)
def test_an_extension_that_makes_no_sense_is_refused(
    document: dict[str, Any], additions: dict[str, Any], message: str
) -> None:
    """The error says what the sweep's search can get, in one line."""
    with pytest.raises(SpecError) as refused:
        extend(document, **additions)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "before",
    [
        {"trials": 99},
        {"trials": 2, "seeds": [7, 8]},
        {"trials": 10, "space": {"beta": "1e-9:1"}},
        {"trials": 10, "grid": {"latent": [32, 4]}},
        {"name": "other"},
        {},
    ],
)
def test_a_history_that_is_none_is_refused(before: dict[str, Any]) -> None:
    """Each sweep of a history should be extended by the next one."""
    entry = {"at": NOON, "ended": 1, "before": before}
    with pytest.raises(SpecError, match=r"^extensions\.0\.before: "):
        SweepSpec.from_document({**GAPS, "extensions": [entry]})
