"""Invalid specs are refused in one line that gives the field, the rule and the value."""

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretoib.errors import SpecError
from paretoib.specs import SweepSpec, parse_axis

from .spec_errors import error_message

VIB = {"method": "vib"}
FULL_COVARIANCE = {"objective": {"name": "dib", "covariance": "full"}}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"metod": "mib"}, "metod: unknown field; found value 'mib'"),
        ({"training": {"epoch": 3}}, "training.epoch: unknown field; found value 3"),
        ({"data": {"name": "digits", "size": 3}}, "data.size: unknown field; found value 3"),
        ({"model": {"name": "mlp", "depth": 3}}, "model.depth: unknown field; found value 3"),
        ({"objective": {"name": "vib", "beta": 1}}, "objective.beta: unknown field; found value 1"),
        ({"weighting": {"name": "mib", "beta": 1}}, "weighting.beta: unknown field; found value 1"),
    ],
)
def test_unknown_fields_are_refused(document: Any, message: str) -> None:
    """Unknown fields are refused at every level of the document."""
    assert message in error_message(document)


@pytest.mark.parametrize(
    ("document", "label", "name", "suggestion"),
    [
        ({"method": "mbi"}, "method", "mbi", "mib"),
        ({"data": "digit"}, "dataset", "digit", "digits"),
        ({"model": "resnet"}, "model", "resnet", "resnet18"),
        ({"objective": {"name": "vib_square"}}, "objective", "vib_square", "vib_squared"),
        ({"weighting": "liner"}, "weighting", "liner", "linear"),
        ({"search": "adaptiv"}, "search", "adaptiv", "adaptive"),
    ],
)
def test_unknown_names_are_refused(document: Any, label: str, name: str, suggestion: str) -> None:
    """The message for an unknown name lists the known names and suggests a similar name."""
    error = error_message(document)
    assert f"unknown {label}: should be one of " in error
    assert f"; found `{name}`; did you mean `{suggestion}`?" in error


def test_a_name_without_a_similar_name_gets_no_suggestion() -> None:
    """Without a similar name, the message ends with the unknown name."""
    with pytest.raises(SpecError, match=r"found `xyzzy`$"):
        SweepSpec.from_document({"method": "xyzzy"})


NUMBERS = {
    "data": ["subset"],
    "model": ["initial_scale", "initial_noise"],
    "objective": ["prior_width"],
    "weighting": ["mu"],
    "training": ["learning_rate", "decay", "clip_norm"],
}


@pytest.mark.parametrize(("section", "field"), [(s, f) for s, fs in NUMBERS.items() for f in fs])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(section: str, field: str, value: float) -> None:
    """The message for NaN or an infinity gives the field and the value, in each section."""
    template = SweepSpec.from_document({}).document
    document = {section: {**template[section], field: value}}
    assert f"{section}.{field}: should be a finite number; found {value}" in error_message(document)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"training": {"epochs": 0}}, "training.epochs: should be greater than or equal to 1"),
        ({"training": {"batch_size": -1}}, "training.batch_size: should be greater than or"),
        ({"training": {"learning_rate": 0}}, "training.learning_rate: should be greater than 0"),
        ({"training": {"decay": 1}}, "training.decay: should be less than 1; found 1"),
        ({"training": {"precision": "fp8"}}, "should be 'float32' or 'bf16'; found 'fp8'"),
        ({"data": {"name": "digits", "subset": 1.1}}, "data.subset: should be less than or equal"),
        ({"data": {"name": "digits", "subset": 0}}, "data.subset: should be greater than 0"),
        ({"data": {"name": "gaussian", "correlations": []}}, "data.correlations: should"),
        ({"model": {"name": "mlp", "hidden": [8, 0]}}, "model.hidden.1: should be greater than"),
        ({"model": {"name": "mlp", "latent": 2.5}}, "model.latent: should be a valid integer"),
        ({"objective": {"name": "vib", "prior_width": 0}}, "objective.prior_width: should be gr"),
        ({"weighting": {"name": "mib", "mu": 0}}, "weighting.mu: should be greater than 0; found"),
        ({"weighting": {"name": "mib", "sqrted": 2}}, "weighting.sqrted: should be less than or"),
        (VIB | {"weighting": {"name": "linear", "beta": -0.1}}, "greater than or equal to 0; fou"),
        ({"seeds": [2**31]}, "seeds.0: should be less than 2147483648; found 2147483648"),
        ({"seeds": [3, 3]}, "seeds: should have no value twice; found [3, 3]"),
        ({"seeds": []}, "seeds: should have at least 1 item; found []"),
        ({"resources": 3}, "resources: should be a mapping; found 3"),
        ({"name": "x" * 900}, f"name: should have at most 200 characters; found '{'x' * 99}…"),
        ({"trials": -1}, "trials: should be greater than or equal to 0; found -1"),
        ({"trials": 100_001}, "trials: should be less than or equal to 100000; found 100001"),
        ({"reference": [1, 0]}, "reference.1: should be greater than 0; found 0"),
        ({"reference": [1, math.inf]}, "reference.1: should be a finite number; found inf"),
        ({"reference": [1e308, 1]}, "reference.0: should be less than or equal to 1000000; found"),
        (
            {"name": "two\nlines"},
            "name: should have only printable characters; found 'two\\nlines'",
        ),
        ({"schema": 2}, "schema: should be 1; found 2"),
    ],
)
def test_values_out_of_range_are_refused(document: Any, message: str) -> None:
    """The message for a value out of range gives the bound and the value."""
    assert message in error_message(document)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "should be a mapping of fields; found None"),
        ({"data": 3}, "data: should be a name or a mapping with a `name`; found 3"),
        ({"model": {"latent": 3}}, "model: should be a name or a mapping with a `name`; found {"),
        ({"data": {"name": []}}, "data: should be a name or a mapping with a `name`; found {"),
        (
            {"weighting": {"name": ["mib"]}},
            "weighting: should be a name or a mapping with a `name`",
        ),
        ({"training": "fast"}, "training: should be a mapping"),
        ({"grid": [1]}, "grid: should be a mapping"),
        ({"seeds": 3}, "seeds: should be a list such as [3]; found 3"),
        ({"method": ["mib"]}, "unknown method: should be one of"),
    ],
)
def test_documents_with_a_wrong_structure_are_refused(document: Any, message: str) -> None:
    """The message says which structure the document or the field should have."""
    assert message in error_message(document)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"objective": "deterministic"},
            "weighting `mib` weighs 2 to 9 losses; objective `deterministic` has 1 (prediction)",
        ),
        (
            {"method": "dib", **FULL_COVARIANCE, "training": {"batch_size": 32}},
            "training.batch_size: should be above 32, the dimensions of the latent, because "
            "objective `dib` with covariance `full` estimates a covariance from each batch; found "
            "32: use larger batches or covariance `diagonal`",
        ),
        (
            {"method": "dib", **FULL_COVARIANCE, "grid": {"latent": [8, 200]}},
            "training.batch_size: should be above 200, the dimensions of the latent",
        ),
        (
            {
                "method": "dib",
                **FULL_COVARIANCE,
                "training": {"batch_size": 128},
                "grid": {"latent": [8, 100], "batch_size": [128, 64]},
            },
            "training.batch_size: should be above 100, the dimensions of the latent",
        ),
        (
            {
                "method": "dib",
                "training": {"batch_size": 16},
                "grid": {"covariance": ["diagonal", "full"]},
            },
            "training.batch_size: should be above 32, the dimensions of the latent",
        ),
        (
            VIB | {"data": "gaussian", "model": "resnet18"},
            "model `resnet18` takes inputs of kind image; data set `gaussian` has kind vector",
        ),
        (
            {"method": "categorical", "data": "gaussian"},
            "objective `categorical` needs classes; data set `gaussian` has a continuous Y",
        ),
        (
            {
                "method": "deterministic",
                "data": "gaussian",
                "objective": {"name": "deterministic", "label_smoothing": 0.1},
            },
            "objective `deterministic` with label_smoothing needs classes; data set `gaussian`",
        ),
        (
            VIB | {"data": "gaussian", "search": "pymoo-nsga2", "objectives": ["rate", "error"]},
            "objectives: should not include error, because Y of data set `gaussian` is continuous",
        ),
        (
            {"objective": "imb_joint", "weighting": {"name": "mib", "gradient": "latent"}},
            "weighting.gradient: should be `parameters`, because model `sigmoid` has hidden layers",
        ),
        (
            {"weighting": {"name": "mib", "gradient": "latent", "over": "all"}},
            "weighting.over: should be `shared` if weighting.gradient is `latent`; found `all`",
        ),
        ({"weighting": "mgda"}, "method `mib` should have weighting `mib`; found `mgda`"),
        (VIB | {"weighting": "mib"}, "method `vib` should have weighting `linear`; found `mib`"),
        (
            VIB | {"objective": "vib_squared"},
            "method `vib` should have objective `vib`; found `vib_squared`",
        ),
    ],
)
def test_sections_that_do_not_fit_together_are_refused(document: Any, message: str) -> None:
    """Each section is valid alone; the message names the sections that do not fit together."""
    assert message in error_message(document)


def test_a_full_covariance_needs_one_example_more_than_dimensions() -> None:
    """Batches of K + 1 examples are accepted, and with a diagonal covariance any batches are."""
    smallest = {"method": "dib", "training": {"batch_size": 33}}
    assert SweepSpec.from_document(smallest | FULL_COVARIANCE).training.batch_size == 33
    diagonal = {"method": "dib", "training": {"batch_size": 2}}
    assert SweepSpec.from_document(diagonal).training.batch_size == 2


def test_adaptive_methods_accept_any_objective_with_two_losses() -> None:
    """Method `mib` has an adaptive weighting, so it accepts objective `vib_squared`."""
    document = {"method": "mib", "objective": "vib_squared"}
    assert SweepSpec.from_document(document).objective.name == "vib_squared"


def test_a_section_of_another_kind_is_refused() -> None:
    """A validated section of a model is not accepted as a data set."""
    model = SweepSpec.from_document({}).model
    assert "unknown dataset: should be one of digits" in error_message({"data": model})


RANGE = "a range should be LOW:HIGH:COUNT or lin:LOW:HIGH:COUNT with LOW < HIGH and 2 ≤ COUNT"


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"beta": "1:0.1:5"}, f"grid.beta: {RANGE} ≤ 100000; found `1:0.1:5`"),
        ({"beta": "1:1:5"}, RANGE),
        ({"beta": "0.1:1:1"}, RANGE),
        ({"beta": "0.1:1:100001"}, RANGE),
        ({"beta": "0.1:1"}, RANGE),
        ({"beta": "0.1:1:5:6"}, RANGE),
        ({"beta": "0.1:inf:5"}, RANGE),
        ({"beta": "nan:1:5"}, RANGE),
        ({"beta": "lin:a:1:5"}, RANGE),
        ({"beta": "0:1:5"}, "grid.beta: a log-spaced range should start above 0; found `0:1:5`"),
        ({"beta": [0.1, -1]}, "weighting.beta: should be greater than or equal to 0; found -1"),
        ({"beta": [math.nan]}, "weighting.beta: should be a finite number; found nan"),
        ({"beta": "0.1,high"}, "weighting.beta: should be a valid number"),
        ({"beta": []}, "grid.weighting.beta: should be one or more different values; found ()"),
        ({"beta": [0.5, "0.5"]}, "should be one or more different values; found (0.5, 0.5)"),
        ({"beta": 0.5}, "grid.beta: should be a list such as [0.5]; found 0.5"),
        ({"beta": [1], "weighting.beta": [2]}, "grid: should name each field once; found ['beta'"),
        ({"latent": "1:2:5"}, "model.latent: should be a valid integer"),
        ({"seed": [1, 2]}, "grid.seed: should be set as `seeds`, not in `grid`"),
        ({"mu": [1]}, "unknown field `mu`: weighting `linear` has no such field; "),
        ({"prior_witdh": [1]}, "did you mean `prior_width`?"),
        ({"objective.name": ["vib"]}, "unknown field `objective.name`"),
        ({"beta": "lin:0:1:400", "prior_width": "1:2:400"}, "at most 100000 trials; found 160000"),
    ],
)
def test_invalid_grids_are_refused(grid: Any, message: str) -> None:
    """In a grid, invalid ranges, invalid or repeated values and unknown fields are refused."""
    assert message in error_message(VIB | {"grid": grid})


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"trials": 5, "grid": {"beta": [1, 2], "latent": [3, 4, 5]}, "seeds": [0, 1]},
            "trials: should be 12, the size of the grid (2 × 3) times the number of seeds (2), or "
            "be left out; found 5",
        ),
        (
            {"trials": 5, "seeds": [0, 1]},
            "trials: should be a multiple of the number of seeds (2), so that each seed has",
        ),
    ],
)
def test_a_number_of_trials_that_does_not_fit_is_refused(document: Any, message: str) -> None:
    """The message gives the right number, or asks for a multiple of the number of seeds."""
    assert message in error_message(VIB | document)


@settings(deadline=None)
@given(st.text(max_size=12))
def test_text_is_an_axis_or_a_value_error(text: str) -> None:
    """For any text, `parse_axis` returns an axis or raises a ValueError."""
    with suppress(ValueError):
        assert isinstance(parse_axis(text), tuple)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    ),
    st.sampled_from(
        ["name", "method", "data", "model", "weighting", "training", "search", "grid", "seeds"]
    ),
)
def test_any_value_gives_a_spec_or_a_spec_error(value: Any, field: str) -> None:
    """Any value gives a SpecError, or a spec that equals the spec of its own document."""
    with suppress(SpecError):
        spec = SweepSpec.from_document({field: value})
        assert SweepSpec.from_document(spec.document) == spec
