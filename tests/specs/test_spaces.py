"""Search spaces: ranges, choices, and the default space of every method."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretoib.objectives import OBJECTIVES
from paretoib.registry import Param
from paretoib.search import driver
from paretoib.specs import (
    METHODS,
    SEARCHES,
    Range,
    SweepSpec,
    default_space,
    parse_range,
    with_overrides,
)
from paretoib.weighting import WEIGHTINGS, WeightingEntry

from .search_specs import error_message, sweep


@pytest.mark.parametrize(
    ("text", "range_"),
    [
        ("1e-5:1", Range(low=1e-5, high=1)),
        ("log:1e-5:1", Range(low=1e-5, high=1, scale="log")),
        ("lin:-1:1", Range(low=-1, high=1, scale="lin")),
        ("int:2:256", Range(low=2, high=256, scale="lin", whole=True)),
    ],
)
def test_a_range_is_text_or_a_mapping(text: str, range_: Range) -> None:
    """Text and mapping give the same spec, which is equal after YAML and JSON."""
    field = {"learning_rate": text} if range_.low == 1e-5 else {"latent": text}
    assert Range.from_document(parse_range(text)) == range_
    if range_.low > 0:
        spec = sweep(space=field)
        assert spec == sweep(space=dict.fromkeys(field, range_.document))
        assert SweepSpec.from_yaml(spec.to_yaml()) == SweepSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("text", "choices"), [("2,8,32", (2, 8, 32)), ("7", (7,)), ("[64],[8, 8]", ((64,), (8, 8)))]
)
def test_choices_are_text_or_a_list(text: str, choices: tuple[Any, ...]) -> None:
    """Choices are text or a list, and have the type of the field."""
    field = "latent" if isinstance(choices[0], int) else "hidden"
    spec = sweep(space={field: text})
    assert spec.space[f"model.{field}"] == choices
    assert sweep(space={field: list(choices)}) == spec
    assert SweepSpec.from_json(spec.to_json()) == spec


def test_a_range_of_an_integer_field_is_whole_on_any_scale() -> None:
    """Latent sizes on a logarithmic scale are whole numbers."""
    found = sweep(space={"latent": "2:256", "prior_width": "int:1:3"}).space
    assert found["model.latent"] == Range(low=2, high=256, scale="log", whole=True)
    assert found["objective.prior_width"] == Range(low=1, high=3, scale="lin", whole=True)


TEXT = "a range should be LOW:HIGH or log:LOW:HIGH, lin:LOW:HIGH or int:LOW:HIGH; found"


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"beta": "1:0"}, "space.beta: a range should have LOW < HIGH; found `1:0`"),
        ({"beta": "1:1"}, "space.beta: a range should have LOW < HIGH; found `1:1`"),
        ({"beta": "0:1"}, "should start above 0, or be lin:0:1; found `0:1`"),
        ({"beta": "1e-5:1:16"}, f"space.beta: {TEXT} `1e-5:1:16`"),
        ({"beta": "log:1"}, f"{TEXT} `log:1`"),
        ({"beta": "sqrt:1:2"}, f"{TEXT} `sqrt:1:2`"),
        ({"beta": "lin:1:2:3"}, f"{TEXT} `lin:1:2:3`"),
        ({"beta": "1:inf"}, "space.beta: high: should be a finite number; found inf"),
        ({"beta": "nan:1"}, "space.beta: low: should be a finite number; found nan"),
        ({"beta": 3}, "space.beta: should be a range such as `1e-5:1`, or a list of values; fou"),
        ({"beta": {"low": 1}}, "space.beta: high: should be given"),
        ({"beta": {"low": 1, "high": 2, "scale": "x"}}, "scale: should be 'log' or 'lin'; found"),
        ({"beta": {"low": 1, "high": 2, "step": 1}}, "space.beta: step: unknown field; found"),
        ({"beta": []}, "space.weighting.beta: should be one or more different values; found ()"),
        ({"beta": "0.5,0.5"}, "should be one or more different values; found (0.5, 0.5)"),
        ({"beta": "lin:-1:1"}, "weighting.beta: should be greater than or equal to 0; found -1"),
        ({"learning_rate": "1:20"}, "training.learning_rate: should be less than or equal to 10"),
        ({"latent": "2.5:4"}, "model.latent: should be a valid integer"),
        ({"latent": "int:2.5:4"}, "a range of whole numbers should have whole ends; found"),
        ({"latent": "2,many"}, "model.latent: should be a valid integer"),
        ({"hidden": "2:4"}, "model.hidden: should be a list such as [2.0]; found 2.0"),
        ({"mu": "1:2"}, "unknown field `mu`: weighting `linear` has no such field; "),
        ({"seed": "int:0:9"}, "space.seed: should be set as `seeds`, not in `space`"),
        ({"beta": "1:2", "weighting.beta": "1:2"}, "space: should name each field once; found"),
        ({"data.name": ["gaussian"]}, "unknown field `data.name`"),
        ("beta", "space: should be a mapping; found 'beta'"),
    ],
)
def test_invalid_spaces_are_refused(space: Any, message: str) -> None:
    """The ends of every range and every choice should be valid values of the field."""
    assert message in error_message(space=space)


def test_a_range_of_a_boolean_field_is_refused() -> None:
    """For a boolean field the message asks for choices instead of a range from 0 to 1."""
    message = error_message(method="mib", space={"smooth": "lin:0:1"})
    assert "should be choices, because the field is not a number" in message


@settings(deadline=None)
@given(st.text(max_size=12))
def test_text_is_a_range_or_a_value_error(text: str) -> None:
    """For any text, `parse_range` returns a range or choices, or raises a ValueError."""
    try:
        parsed = parse_range(text)
    except ValueError:
        return
    assert isinstance(parsed, dict | tuple)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("search", [name for name in SEARCHES if name != "grid"])
def test_every_method_has_a_space_for_every_search(method: str, search: str) -> None:
    """Methods with β vary it over the objective's range, and other methods their own parameters.

    Methods without a field that moves trials along the front vary the initialisation.
    """
    if OBJECTIVES[METHODS[method].objective].noise == "none" and SEARCHES[search].uses_results:
        pytest.skip("without noise there is no rate to search by")
    spec = SweepSpec.from_document({"method": method, "search": search})
    assert spec.space
    weighting = spec.weighting
    along_front = WEIGHTINGS[weighting.name].fields_along_front(weighting.params)
    if spec.template.weighs_compression:
        low, high = OBJECTIVES[spec.objective.name].betas
        assert spec.space == {"weighting.beta": Range(low=low, high=high)}
    elif {"iterations", "preference"} & set(along_front):
        assert f"weighting.{along_front[0]}" in spec.space
        assert "model.initial_scale" not in spec.space
    else:
        learned = OBJECTIVES[spec.objective.name].noise in ("learned", "scale")
        assert {"model.initial_scale", "training.epochs"} <= set(spec.space)
        assert ("model.initial_noise" in spec.space) == learned
    assert driver(spec).ask(1000)


def test_mib_varies_its_iterations_and_the_power_of_the_weights() -> None:
    """The number of iterations has a logarithmic scale; μ is that of the paper."""
    spec = SweepSpec.from_document({"method": "mib"})
    iterations = Range(low=2, high=200, whole=True)
    assert spec.space == {"weighting.sqrted": (0, 1), "weighting.iterations": iterations}
    assert (spec.gap_field, spec.weighting["mu"]) == ("weighting.iterations", 0.2)


def test_exact_mib_varies_its_own_parameters_and_the_epochs() -> None:
    """μ has a logarithmic scale, and trials train a quarter, a half or all of 40 epochs."""
    spec = SweepSpec.from_document({"method": "mib_exact", "training": {"epochs": 40}})
    assert spec.space["weighting.mu"] == Range(low=0.02, high=20)
    assert spec.space["weighting.sqrted"] == (0, 1)
    assert spec.space["training.epochs"] == (10, 20, 40)
    assert "weighting.iterations" not in spec.space
    assert spec.gap_field is None


def test_an_ablation_has_one_setting_for_each_seed() -> None:
    """The ablations of mib figure 5 train one setting; β of `mib_no_adaptive` is the paper's."""
    for method in ("mib_no_adaptive", "mib_no_smooth", "mib_no_sqrted", "vib_adaptive"):
        spec = SweepSpec.from_document({"method": method})
        assert (spec.trials, spec.seeds, spec.grid) == (3, (0, 1, 2), {})
    assert sweep(method="mib_no_adaptive").weighting["beta"] == 1e-4


@pytest.mark.parametrize(
    ("param", "expected"),
    [
        (Param("k", int, 2, "", ge=1, le=9, per_trial=True), Range(low=1, high=9, scale="lin")),
        (Param("k", float, 0.5, "", gt=0, lt=1, per_trial=True), Range(low=0.02, high=0.98)),
        (Param("k", float, 0.5, "", ge=0, le=1, per_trial=True), Range(low=0.01, high=1)),
        (Param("k", float, 2.0, "", gt=0, le=1e6, per_trial=True), Range(low=0.2, high=20)),
        (Param("k", float, 2.0, "", gt=1, lt=4, per_trial=True), Range(low=1.5, high=3)),
        (Param("k", float, 0.0, "", per_trial=True), None),
        (Param("k", float, 2.0, "", gt=0), None),
    ],
)
def test_the_space_of_a_new_weighting_follows_from_its_entry(
    param: Param, expected: Range | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The per-trial parameters of the weighting are varied within their bounds."""
    entry = WeightingEntry("paretoib.weighting._linear:Linear", "new", params=(param,))
    monkeypatch.setitem(WEIGHTINGS, f"new {param}", entry)
    template = sweep().template.model_copy()
    document = template.document | {"weighting": f"new {param}"}
    trial = type(template).from_document(document)
    found = default_space(trial).get("weighting.k")
    assert (found is None) == (expected is None)
    if isinstance(found, Range) and expected:
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.02)
        assert all(trial.with_fields({"k": end}) for end in (found.low, found.high))


def test_a_range_replaces_the_default_of_its_field() -> None:
    """A range replaces the default range of its field; a field with one value is fixed."""
    spec = sweep(method="mib", space={"mu": "1:2", "latent": [4]}, grid={"sqrted": [1]})
    assert spec.space["weighting.mu"] == Range(low=1, high=2)
    assert spec.space["model.latent"] == (4,)
    assert "weighting.sqrted" not in spec.space
    assert spec.varied["weighting.sqrted"] == (1,)
    assert list(spec.varied)[-1] == "model.latent"
    message = error_message(space={"beta": "1:2"}, grid={"beta": [1]})
    assert "space: should not have fields of `grid`; found ['weighting.beta']" in message


def test_a_grid_has_axes_and_no_space() -> None:
    """The message says that search `grid` takes axes, and names searches that take ranges."""
    message = error_message(search="grid", space={"beta": "1:2"})
    assert "space: should be empty for search `grid`, which takes axes such as LOW:HIGH:" in message
    assert "ranges need search random, adaptive, optuna-tpe" in message
    assert message.endswith("; found ranges of weighting.beta")


def test_adaptive_with_a_field_along_the_front_has_no_other_range() -> None:
    """`adaptive` fills gaps with one range; other fields may have choices."""
    message = error_message(search="adaptive", space={"latent": "2:8"})
    assert (
        "search: `adaptive` with a range of weighting.beta should have no other range; found "
        "ranges of model.latent: list their values, or choose another search"
    ) in message
    assert sweep(search="adaptive").gap_field == "weighting.beta"
    assert sweep(search="adaptive", space={"latent": [2, 3]}).gap_field == "weighting.beta"
    listed = sweep(search="adaptive", grid={"beta": "1,2,3", "latent": [2, 3]})
    assert listed.gap_field is None


def test_ranges_override_a_document() -> None:
    """A range replaces the entry of its field in the document's space or grid."""
    document = {
        "method": "vib",
        "search": "random",
        "grid": {"beta": [1]},
        "space": {"latent": [3]},
    }
    spec = with_overrides(document, space={"weighting.beta": "1:2", "model.latent": "int:2:8"})
    assert spec.grid == {}
    assert spec.space == {
        "weighting.beta": Range(low=1, high=2),
        "model.latent": Range(low=2, high=8, scale="lin", whole=True),
    }


def test_a_field_that_is_set_is_not_searched() -> None:
    """Setting a field removes the range that the document has for this field."""
    filled = sweep(method="mib_exact").document
    spec = with_overrides(filled, {"mu": 0.5, "epochs": 40, "latent": 4})
    assert spec.varied["weighting.mu"] == (0.5,)
    assert spec.varied["training.epochs"] == (10, 20, 40)
    assert "model.latent" not in spec.varied
    assert {t.get("mu") for t in driver(spec).ask(100)} == {0.5}
    adaptive = with_overrides({"method": "vib", "search": "adaptive"}, {"beta": 0.01})
    assert {t.get("beta") for t in driver(adaptive).ask(100)} == {0.01}


@pytest.mark.parametrize(
    "document",
    [
        {"method": "mib", "search": "adaptive", "trials": 12, "seeds": [0, 1, 2], "grid": {}},
        {"method": "vib", "search": "adaptive", "trials": 4, "grid": {"beta": [0.1, 0.2]}},
        {"method": "vib", "search": "grid", "trials": 2, "seeds": [0], "grid": {"beta": [0.1, 1]}},
    ],
)
def test_a_spec_older_than_spaces_is_still_valid(document: dict[str, Any]) -> None:
    """Specs written before `space` existed are valid and keep their number of trials."""
    spec = SweepSpec.from_document({"schema": 1, **document})
    assert len(driver(spec).ask(100)) == document["trials"] == spec.trials


@pytest.mark.parametrize("method", ["l2", "log_var", "log_var_given_y"])
def test_the_surrogates_of_uib_have_its_range_of_gamma(method: str) -> None:
    """The β of these objectives is uib's γ, which varies from 1e-4 to 10 (section 7.3)."""
    grid = SweepSpec.from_document({"method": method}).grid["weighting.beta"]
    assert (grid[0], grid[-1], len(grid)) == (1e-4, 10.0, 16)
    searched = SweepSpec.from_document({"method": method, "search": "adaptive"})
    assert searched.space == {"weighting.beta": Range(low=1e-4, high=10)}
