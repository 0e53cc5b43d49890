"""Names of fields, values and axes as text, and overrides of single fields.

A full name such as `weighting.beta` has a section; a bare name such as `beta` has none.
"""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretoib.errors import SpecError
from paretoib.objectives import OBJECTIVES, ObjectiveEntry
from paretoib.registry import Param
from paretoib.search import driver
from paretoib.specs import (
    SweepSpec,
    TrialSpec,
    parse_axis,
    parse_value,
    short_name,
    with_overrides,
)
from paretoib.weighting import WEIGHTINGS

VIB = SweepSpec.from_document({"method": "vib"}).template


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("latent", "latent"),
        ("[64, 128]", [64, 128]),
        ("64,128", [64, 128]),
        ("[[64], [64, 128]]", [[64], [64, 128]]),
        ("[64", "[64"),
        ("{", "{"),
    ],
)
def test_values_are_read_as_yaml(text: str, value: Any) -> None:
    """In a value, commas make a list; text that is not YAML is a string."""
    assert parse_value(text) == value


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1e-2:1:3", (0.01, 0.1, 1)),
        ("log:1e-2:1:3", (0.01, 0.1, 1)),
        ("lin:0:1:5", (0, 0.25, 0.5, 0.75, 1)),
        ("lin:-1:1:2", (-1, 1)),
        ("0.1,0.2", (0.1, 0.2)),
        ("7", (7,)),
        ("l2,none", ("l2", "none")),
        ("[64], [32, 32]", ([64], [32, 32])),
        ("[64, 64]", ([64, 64],)),
    ],
)
def test_axes_are_ranges_or_lists(text: str, values: tuple[Any, ...]) -> None:
    """LOW:HIGH:COUNT is log-spaced, lin:LOW:HIGH:COUNT is evenly spaced; both include the ends."""
    assert parse_axis(text) == values


def test_an_axis_that_is_not_text_is_unchanged() -> None:
    """A list, as in JSON, holds values, so strings in it are not parsed."""
    assert parse_axis([1, "a:b"]) == [1, "a:b"]


@settings(deadline=None)
@given(st.floats(1e-9, 1e3), st.floats(1.01, 1e6), st.integers(2, 50))
def test_log_spaced_axes_have_equal_ratios(low: float, factor: float, count: int) -> None:
    """The ratios of neighbouring values are equal up to the rounding to four digits."""
    values = parse_axis(f"{low!r}:{low * factor!r}:{count}")
    assert len(values) == count
    for i, value in enumerate(values):
        expected = math.log(low) + math.log(factor) * i / (count - 1)
        assert math.log(value) == pytest.approx(expected, abs=6e-4)


def test_values_of_an_axis_have_the_type_of_the_field() -> None:
    """The text of an axis becomes tuples, integers or floats, as the field requires."""
    spec = SweepSpec.from_document(
        {
            "method": "vib",
            "grid": {"hidden": "[64], [32, 32]", "latent": "lin:2:4:3", "beta": "1e-3,1"},
        }
    )
    assert spec.grid == {
        "model.hidden": ((64,), (32, 32)),
        "model.latent": (2, 3, 4),
        "weighting.beta": (1e-3, 1.0),
    }
    assert spec.trials == 12


def test_a_bare_name_is_enough_if_one_section_has_it() -> None:
    """A bare name and its full name read and write the same field."""
    assert VIB.full_name("beta") == VIB.full_name("weighting.beta") == "weighting.beta"
    assert VIB.with_fields({"beta": 0.7}) == VIB.with_fields({"weighting.beta": 0.7}) != VIB
    assert VIB.with_fields({"beta": 0.7, "seed": 4}).get("seed") == 4


def test_a_bare_name_in_several_sections_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message for an ambiguous bare name lists the full names, which can be used."""
    second = Param("beta", float, 2.0, "a second β", gt=0)
    entry = ObjectiveEntry("paretoib.objectives._vib:VIB", "two β", params=(second,))
    monkeypatch.setitem(OBJECTIVES, "vib_with_two_betas", entry)
    trial = TrialSpec.model_validate({**VIB.document, "objective": "vib_with_two_betas"})
    with pytest.raises(SpecError, match="`beta` is in several sections: name one") as caught:
        trial.get("beta")
    assert "objective.beta, weighting.beta" in str(caught.value)
    assert (trial.get("objective.beta"), trial.get("weighting.beta")) == (2.0, 1e-3)


def test_an_unknown_field_is_refused_with_a_suggestion() -> None:
    """Each function that takes a field's name refuses an unknown name."""
    for use in (VIB.full_name, VIB.get, lambda field: VIB.with_fields({field: 1})):
        with pytest.raises(SpecError, match=r"unknown field `latnet`; did you mean `latent`"):
            use("latnet")


def test_changes_are_validated() -> None:
    """The message for an invalid change gives the field, the rule and the value."""
    with pytest.raises(SpecError, match=r"weighting.beta: should be .* equal to 0; found -1"):
        VIB.with_fields({"beta": -1})


def test_fields_and_axes_override_a_document() -> None:
    """Overrides have full or bare names, and apply to sections that the document has or lacks."""
    spec = with_overrides(
        {"method": "vib", "model": {"name": "mlp", "latent": 7}, "grid": {"beta": [1, 2]}},
        {"hidden": [9], "training.epochs": 3},
        {"prior_width": "1,2"},
    )
    assert spec.model.params | {"latent": 7, "hidden": (9,)} == spec.model.params
    assert spec.training.epochs == 3
    assert spec.grid == {"weighting.beta": (1.0, 2.0), "objective.prior_width": (1.0, 2.0)}


@pytest.mark.parametrize("existing", ["beta", "weighting.beta"])
@pytest.mark.parametrize("override", ["beta", "weighting.beta"])
def test_an_axis_overrides_the_axis_of_the_document(existing: str, override: str) -> None:
    """An axis of the document is replaced, whether it has the full or the bare name."""
    spec = with_overrides({"method": "vib", "grid": {existing: [1, 2]}}, grid={override: "3,4,5"})
    assert spec.grid == {"weighting.beta": (3.0, 4.0, 5.0)}


def test_a_sections_name_replaces_the_section() -> None:
    """If `objective` is overridden, `prior_width` is set in the new section `objective`."""
    spec = with_overrides(
        {"method": "mib", "objective": {"name": "vib", "prior_width": 3}},
        {"objective": "vib_squared", "prior_width": 2, "model": "linear"},
    )
    assert spec.document["objective"] == {"name": "vib_squared", "prior_width": 2.0}
    assert spec.model.name == "linear"


@pytest.mark.parametrize(
    ("document", "fields", "grid", "message"),
    [
        ({}, {"seed": 3}, {}, "seed: should be set as `seeds` of the sweep; found 3"),
        ({}, {"nope": 3}, {}, "unknown field `nope`"),
        ({}, {}, {"nope": "3"}, "unknown field `nope`"),
        ({"grid": 3}, {}, {"mu": "1,2"}, "grid: should be a mapping; found 3"),
        ({"grid": {3: [1]}}, {}, {"mu": "1,2"}, "unknown field `3`"),
    ],
)
def test_invalid_overrides_are_refused(document: Any, fields: Any, grid: Any, message: str) -> None:
    """The message for an invalid override names the field."""
    with pytest.raises(SpecError) as caught:
        with_overrides(document, fields, grid)
    assert message in str(caught.value)


def test_a_field_that_is_set_is_not_varied_by_an_adaptive_search() -> None:
    """`--set mu=0.5` holds for every trial. `--set epochs=40` sets the largest number of epochs."""
    document = {"method": "mib_exact", "seeds": [0], "trials": 12}
    spec = with_overrides(document, {"mu": 0.5, "latent": 4, "epochs": 40})
    trials = driver(spec).ask(spec.trials)
    assert {t.get("mu") for t in trials} == {0.5}
    assert {t.get("epochs") for t in trials} == {10, 20, 40}
    assert len({t.get("initial_scale") for t in trials}) == len(trials)


def test_a_beta_that_is_set_replaces_the_default_grid() -> None:
    """With `--set beta=0.01` there is one trial for each seed, instead of a grid of β."""
    spec = with_overrides({"method": "vib", "seeds": [0, 1]}, {"beta": "0.01"})
    assert [t.get("beta") for t in driver(spec).ask(100)] == [0.01, 0.01]


def test_resources_belong_to_the_sweep() -> None:
    """Resources can be overridden, and are not in trials or their keys."""
    document = {"method": "vib", "resources": {"cpus": 2}}
    sweep = with_overrides(document, {"resources.gpus": 0.25, "epochs": 3})
    assert sweep.document["resources"] == {"gpus": 0.25, "cpus": 2}
    plain = with_overrides({"method": "vib"}, {"epochs": 3})
    assert plain.document["resources"] == {"gpus": None, "cpus": None}
    keys = [[trial.key for trial in driver(spec).ask(99)] for spec in (sweep, plain)]
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("resources.gpus", 2, r"^resources\.gpus: should be less than or equal to 1; found 2"),
        ("resources.cpus", 0.5, r"^resources\.cpus: should be a valid integer"),
        ("resources.tpus", 1, r"^resources\.tpus: unknown field"),
    ],
)
def test_invalid_resources_are_refused(field: str, value: Any, message: str) -> None:
    """The message for an invalid resource gives the name of the resource and the rule."""
    with pytest.raises(SpecError, match=message):
        with_overrides({"method": "vib"}, {field: value})


@pytest.mark.parametrize("weighting", [n for n, entry in WEIGHTINGS.items() if entry.losses[1] > 1])
def test_a_trials_fields_have_short_names_that_differ(weighting: str) -> None:
    """Tables use the short names as headers of columns, so the names have to differ."""
    trial = TrialSpec.from_document({**VIB.document, "weighting": weighting})
    names = [f"{section}.{name}" for section, name in trial._fields()]
    assert short_name("objective.prior_width") == "σ"
    assert len({short_name(name) for name in names}) == len(names)
