"""The pydantic models and JSON schemas of sections."""

import pytest

from paretoib.specs import METHODS, SweepSpec, section_model
from paretoib.specs._sections import REGISTRIES

ENTRIES = [(kind, name) for kind, registry in REGISTRIES.items() for name in registry]
# Bounds under the names of pydantic and of JSON schemas.
BOUNDS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "min_length": "minItems",
}


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_a_schema_describes_every_hyperparameter(kind: str, name: str) -> None:
    """The schema has the entry's summary, descriptions, defaults and bounds, and no other keys."""
    entry = REGISTRIES[kind][name]
    schema = section_model(kind, name).model_json_schema()
    assert schema["description"] == entry.summary
    assert schema["additionalProperties"] is False
    assert schema["properties"].keys() == {"name", *(p.name for p in entry.params)}
    assert schema["properties"]["name"]["const"] == name
    for param in entry.params:
        described = schema["properties"][param.name]
        assert described["description"] == param.doc
        assert described["per_trial"] == param.per_trial
        default = list(param.default) if isinstance(param.default, tuple) else param.default
        assert described["default"] == default
        found = {BOUNDS[k]: v for k, v in param.constraints.items()}
        assert {k: v for k, v in described.items() if k in BOUNDS.values()} == found


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_every_number_has_a_lower_bound(kind: str, name: str) -> None:
    """Each number has a lower bound, so that, for example, negative sizes are refused."""
    unbounded = [
        param.name
        for param in REGISTRIES[kind][name].params
        if param.kind in (int, float) and not param.constraints.keys() & {"gt", "ge"}
    ]
    assert unbounded == []


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_defaults_satisfy_their_own_bounds(kind: str, name: str) -> None:
    """A section with only a name is valid, and is equal after its defaults are written out."""
    model = section_model(kind, name)
    section = model.model_validate({"name": name})
    assert model.model_validate(section.model_dump()) == section


def test_every_objective_is_a_method_and_every_method_has_a_summary() -> None:
    """`paretoib methods` can list a method for each objective, with a summary."""
    assert set(REGISTRIES["objective"]) <= set(METHODS)
    assert all(method.summary for method in METHODS.values())


def test_a_sweep_has_a_schema() -> None:
    """The JSON schema of a sweep has fields such as `method`, `grid` and `trials`."""
    assert SweepSpec.model_json_schema()["properties"].keys() >= {"method", "grid", "trials"}
