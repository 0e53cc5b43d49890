"""Specs are equal after they are written as JSON or YAML and read again, and have all defaults."""

import json
import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from paretoib.data import DATASETS
from paretoib.objectives import OBJECTIVES
from paretoib.specs import METHODS, SweepSpec, TrialSpec, with_overrides
from paretoib.weighting import WEIGHTINGS

POSITIVE = st.floats(1e-6, 10, allow_nan=False)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "learning_rate": POSITIVE,
        "prior_width": POSITIVE,
        "initial_scale": POSITIVE,
        "latent": st.integers(1, 500),
        "hidden": st.lists(st.integers(1, 500), max_size=3),
        "epochs": st.integers(1, 500),
        "clip_norm": st.none() | POSITIVE,
        "schedule": st.sampled_from(["constant", "exponential", "step", "plateau"]),
        "subset": st.floats(1e-3, 1),
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {"method": st.sampled_from(["vib", "vib_squared", "mib", "mgda"])},
    optional={
        "name": st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20),
        "seeds": st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=3, unique=True),
        "grid": st.dictionaries(
            st.sampled_from(["prior_width", "training.learning_rate"]),
            st.lists(POSITIVE, min_size=1, max_size=3, unique=True),
        ),
        "reference": st.tuples(POSITIVE, POSITIVE),
    },
)


@settings(deadline=None)
@given(DOCUMENTS, FIELDS)
def test_a_sweep_is_equal_after_json_and_yaml(
    document: dict[str, Any], fields: dict[str, Any]
) -> None:
    """The spec that is read from JSON or YAML is equal and gives the same text again."""
    spec = with_overrides(document, fields)
    for written, read in ((spec.to_json(), json.loads), (spec.to_yaml(), yaml.safe_load)):
        back = SweepSpec.from_document(read(written))
        assert back == spec
        assert (back.to_json(), back.to_yaml()) == (spec.to_json(), spec.to_yaml())
        assert back.template.key == spec.template.key


@settings(deadline=None)
@given(DOCUMENTS, FIELDS)
def test_a_trial_is_equal_after_json(document: dict[str, Any], fields: dict[str, Any]) -> None:
    """A trial that is read from JSON is equal and has the same trial key and pack key."""
    trial = with_overrides(document, fields).template
    back = TrialSpec.model_validate(json.loads(json.dumps(trial.document)))
    assert back == trial
    assert (back.key, back.pack_key) == (trial.key, trial.pack_key)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("data", [name for name, entry in DATASETS.items() if not entry.local])
def test_defaults_of_method_and_data_are_filled_in(method: str, data: str) -> None:
    """A document with only a method and a data set gets all but preset, reference and limits."""
    defaults = METHODS[method]
    if DATASETS[data].tasks and not OBJECTIVES[defaults.objective].several_tasks:
        pytest.skip("the objective needs one task")
    if DATASETS[data].continuous and OBJECTIVES[defaults.objective].classes:
        pytest.skip("the objective needs classes")
    if DATASETS[data].tasks and WEIGHTINGS[defaults.weighting].losses == (2, 2):
        pytest.skip("the weighting takes two losses")
    spec = SweepSpec.from_document({"method": method, "data": data})
    found = (spec.objective.name, spec.weighting.name, spec.search, spec.seeds)
    assert found == (defaults.objective, defaults.weighting, defaults.search, defaults.seeds)
    own = (
        (DATASETS[data].tasks and defaults.task_model)
        or defaults.model
        or OBJECTIVES[defaults.objective].model
    )
    assert spec.model.name == (own or DATASETS[data].model)
    assert spec.name == f"{method}-{data}"
    per_seed = (
        math.prod(len(values) for values in spec.grid.values()) if spec.grid else defaults.trials
    )
    assert spec.trials == per_seed * len(defaults.seeds)
    document = spec.document
    missing = [k for k, v in document.items() if v is None]
    assert missing == ["preset", "prune", "plateau", "trial_seconds", "reference"]
    assert document["schema"] == 1
    axis = {"gs": "task_weights", "epo": "preference", "smooth_chebyshev": "preference"}
    varied = defaults.search == "grid" and defaults.trials > 1
    assert document["grid"].keys() == (
        {f"weighting.{axis.get(method, 'beta')}"} if varied else set()
    )


def test_an_empty_document_is_mib_on_digits() -> None:
    """A document without fields is a MIB sweep on digits with the defaults below."""
    document = SweepSpec.from_document({}).document
    assert (document["method"], document["data"]["name"]) == ("mib", "digits")
    assert document["weighting"] == {
        "name": "mib",
        "mu": 0.2,
        "sqrted": 1,
        "smooth": True,
        "gradient": "parameters",
        "over": "shared",
        "normalise": "none",
        "solver": "frank_wolfe",
        "iterations": 10,
    }
    assert document["training"] == {
        "optimiser": "adam",
        "epochs": 50,
        "batch_size": 128,
        "learning_rate": 1e-3,
        "schedule": "constant",
        "decay": 0.97,
        "patience": 10,
        "adam_beta1": 0.9,
        "weight_average": 0.0,
        "clip_norm": None,
        "precision": "float32",
    }


def test_a_section_is_a_name_or_a_mapping() -> None:
    """A name, a mapping and a validated section give the same spec."""
    short = SweepSpec.from_document({"method": "vib", "model": "mlp"})
    long = SweepSpec.from_document({"method": "vib", "model": {"name": "mlp", "latent": 32}})
    assert short == long
    assert SweepSpec.from_document({"method": "vib", "model": short.model}) == short


def test_numbers_can_have_the_types_that_yaml_gives_them() -> None:
    """A number may be text, as PyYAML reads `1e-3`; an integer field accepts 5.0."""
    spec = SweepSpec.from_document(
        yaml.safe_load("{method: vib, training: {learning_rate: 1e-3, epochs: 5.0}}")
    )
    assert (spec.training.learning_rate, spec.training.epochs) == (1e-3, 5)


def test_specs_are_frozen() -> None:
    """A sweep, its sections and its trials cannot be changed in place."""
    spec = SweepSpec.from_document({})
    for model, field in ((spec, "trials"), (spec.model, "latent"), (spec.template, "seed")):
        with pytest.raises(ValueError, match="frozen"):
            setattr(model, field, 3)
