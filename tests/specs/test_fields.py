"""Fields by name, values and axes as text, single settings over a document."""

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
    """A comma makes a list; what YAML cannot read is the text itself."""
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
    """LOW:HIGH:COUNT in equal ratios, lin: in equal steps, both ends included."""
    assert parse_axis(text) == values


def test_anything_but_text_is_an_axis_as_it_stands() -> None:
    """Lists from JSON are not read again."""
    assert parse_axis([1, "a:b"]) == [1, "a:b"]


@settings(deadline=None)
@given(st.floats(1e-9, 1e3), st.floats(1.01, 1e6), st.integers(2, 50))
def test_log_spaced_axes_rise_in_equal_ratios(low: float, factor: float, count: int) -> None:
    """To four digits."""
    values = parse_axis(f"{low!r}:{low * factor!r}:{count}")
    assert len(values) == count
    for i, value in enumerate(values):
        expected = math.log(low) + math.log(factor) * i / (count - 1)
        assert math.log(value) == pytest.approx(expected, abs=6e-4)


def test_an_axis_takes_the_fields_own_type() -> None:
    """Text from a command line becomes widths, names and numbers."""
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


def test_a_bare_name_is_enough_where_it_is_in_one_section() -> None:
    """Both names read and write the same field."""
    assert VIB.resolve("beta") == VIB.resolve("weighting.beta") == "weighting.beta"
    assert VIB.with_fields({"beta": 0.7}) == VIB.with_fields({"weighting.beta": 0.7}) != VIB
    assert VIB.with_fields({"beta": 0.7, "seed": 4}).get("seed") == 4


def test_a_bare_name_in_several_sections_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The full names are listed; they work."""
    own = Param("beta", float, 2.0, "a second β", gt=0)
    row = ObjectiveEntry("paretoib.objectives._vib:VIB", "two β", params=(own,))
    monkeypatch.setitem(OBJECTIVES, "vib_of_two_betas", row)
    trial = TrialSpec.model_validate({**VIB.document, "objective": "vib_of_two_betas"})
    with pytest.raises(SpecError, match="`beta` is in several sections: name one") as caught:
        trial.get("beta")
    assert "objective.beta, weighting.beta" in str(caught.value)
    assert (trial.get("objective.beta"), trial.get("weighting.beta")) == (2.0, 1e-3)


def test_an_unknown_field_is_refused_with_a_guess() -> None:
    """Reading, changing and resolving alike."""
    for use in (VIB.resolve, VIB.get, lambda field: VIB.with_fields({field: 1})):
        with pytest.raises(SpecError, match=r"unknown field `latnet` of .*did you mean `latent`"):
            use("latnet")


def test_changes_are_validated_anew() -> None:
    """With the field, the rule and the value."""
    with pytest.raises(SpecError, match=r"weighting.beta: should be .* equal to 0; found -1"):
        VIB.with_fields({"beta": -1})


def test_settings_go_over_a_document() -> None:
    """Single fields by either name, in sections that the document has or has not; axes last."""
    spec = with_overrides(
        {"method": "vib", "model": {"name": "mlp", "latent": 7}, "grid": {"beta": [1, 2]}},
        {"hidden": [9], "training.epochs": 3},
        {"prior_width": "1,2"},
    )
    assert spec.model.params | {"latent": 7, "hidden": (9,)} == spec.model.params
    assert spec.training.epochs == 3
    assert spec.grid == {"weighting.beta": (1.0, 2.0), "objective.prior_width": (1.0, 2.0)}


@pytest.mark.parametrize("held", ["beta", "weighting.beta"])
@pytest.mark.parametrize("flag", ["beta", "weighting.beta"])
def test_an_axis_goes_over_the_documents_own(held: str, flag: str) -> None:
    """Whichever of its names each side uses."""
    spec = with_overrides({"method": "vib", "grid": {held: [1, 2]}}, grid={flag: "3,4,5"})
    assert spec.grid == {"weighting.beta": (3.0, 4.0, 5.0)}


def test_a_sections_name_exchanges_the_section() -> None:
    """Fields set with it belong to the new section."""
    spec = with_overrides(
        {"method": "mib", "objective": {"name": "vib", "prior_width": 3}},
        {"objective": "vib_squared", "prior_width": 2, "model": "linear"},
    )
    assert spec.document["objective"] == {"name": "vib_squared", "prior_width": 2.0}
    assert spec.model.name == "linear"


@pytest.mark.parametrize(
    ("document", "settings", "grid", "message"),
    [
        ({}, {"seed": 3}, {}, "seed: should be set as seeds of the sweep; found 3"),
        ({}, {"nope": 3}, {}, "unknown field `nope`"),
        ({}, {}, {"nope": "3"}, "unknown field `nope`"),
        ({"grid": 3}, {}, {"mu": "1,2"}, "grid: should be a mapping; found 3"),
        ({"grid": {3: [1]}}, {}, {"mu": "1,2"}, "unknown field `3`"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    document: Any, settings: Any, grid: Any, message: str
) -> None:
    """As from_document refuses, in one line."""
    with pytest.raises(SpecError) as caught:
        with_overrides(document, settings, grid)
    assert message in str(caught.value)


def test_a_setting_by_hand_is_not_varied_by_an_adaptive_search() -> None:
    """`--set mu=0.5` holds for every trial; `epochs` is the longest training, not the only one."""
    document = {"method": "mib", "seeds": [0], "trials": 12}
    spec = with_overrides(document, {"mu": 0.5, "latent": 4, "epochs": 40})
    trials = driver(spec).ask(spec.trials)
    assert {t.get("mu") for t in trials} == {0.5}
    assert {t.get("epochs") for t in trials} == {10, 20, 40}
    assert len({t.get("initial_scale") for t in trials}) == len(trials)


def test_a_beta_set_by_hand_takes_the_place_of_the_default_grid() -> None:
    """`--set beta=0.01` is one trial a seed, not a grid that ignores it."""
    spec = with_overrides({"method": "vib", "seeds": [0, 1]}, {"beta": "0.01"})
    assert [t.get("beta") for t in driver(spec).ask(100)] == [0.01, 0.01]


def test_resources_are_the_sweeps_own() -> None:
    """Set by flags over what a file has; no trial, and so no key of one, knows of them."""
    document = {"method": "vib", "resources": {"cpus": 2}}
    sweep = with_overrides(document, {"resources.gpus": 0.25, "epochs": 3})
    assert sweep.document["resources"] == {"gpus": 0.25, "cpus": 2}
    plain = with_overrides({"method": "vib"}, {"epochs": 3})
    assert plain.document["resources"] == {"gpus": None, "cpus": None}
    keys = [[trial.key for trial in driver(spec).ask(99)] for spec in (sweep, plain)]
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("resources.gpus", 2, r"^resources\.gpus: should be less than or equal to 1; found 2"),
        ("resources.cpus", 0.5, r"^resources\.cpus: should be a valid integer"),
        ("resources.tpus", 1, r"^resources\.tpus: unknown field"),
    ],
)
def test_resources_that_cannot_be_are_refused(field: str, value: Any, said: str) -> None:
    """In one line with the field, the rule and the value."""
    with pytest.raises(SpecError, match=said):
        with_overrides({"method": "vib"}, {field: value})


@pytest.mark.parametrize("weighting", [n for n, row in WEIGHTINGS.items() if row.losses[1] > 1])
def test_a_trials_fields_have_short_names_that_differ(weighting: str) -> None:
    """Tables have a column for each."""
    trial = TrialSpec.from_document({**VIB.document, "weighting": weighting})
    names = [f"{section}.{name}" for section, name in trial._fields()]
    assert short_name("objective.prior_width") == "σ"
    assert len({short_name(name) for name in names}) == len(names)
