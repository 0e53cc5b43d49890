"""Sections as JSON schemas, for whoever documents or checks a request."""

import pytest

from paretoib.specs import METHODS, SweepSpec, section_model
from paretoib.specs._sections import REGISTRIES

ROWS = [(kind, name) for kind, registry in REGISTRIES.items() for name in registry]
# pydantic's names for bounds, and JSON schema's.
BOUNDS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "min_length": "minItems",
}


@pytest.mark.parametrize(("kind", "name"), ROWS)
def test_a_rows_schema_describes_every_hyperparameter(kind: str, name: str) -> None:
    """Summary, description, default and bounds of each are the row's; unknown keys are barred."""
    row = REGISTRIES[kind][name]
    schema = section_model(kind, name).model_json_schema()
    assert schema["description"] == row.summary
    assert schema["additionalProperties"] is False
    assert schema["properties"].keys() == {"name", *(p.name for p in row.params)}
    assert schema["properties"]["name"]["const"] == name
    for param in row.params:
        described = schema["properties"][param.name]
        assert described["description"] == param.doc
        assert described["per_trial"] == param.per_trial
        default = list(param.default) if isinstance(param.default, tuple) else param.default
        assert described["default"] == default
        found = {BOUNDS[k]: v for k, v in param.constraints.items()}
        assert {k: v for k, v in described.items() if k in BOUNDS.values()} == found


@pytest.mark.parametrize(("kind", "name"), ROWS)
def test_every_number_has_a_bound(kind: str, name: str) -> None:
    """A request cannot ask for what no machine can do, or what has no meaning."""
    unbounded = [
        param.name
        for param in REGISTRIES[kind][name].params
        if param.kind in (int, float) and not param.constraints.keys() & {"gt", "ge"}
    ]
    assert unbounded == []


@pytest.mark.parametrize(("kind", "name"), ROWS)
def test_defaults_satisfy_their_own_bounds(kind: str, name: str) -> None:
    """A section of nothing but its name is valid, written out."""
    model = section_model(kind, name)
    section = model.model_validate({"name": name})
    assert model.model_validate(section.model_dump()) == section


def test_every_method_has_a_summary_and_every_objective_is_one() -> None:
    """What --method lists is complete."""
    assert set(REGISTRIES["objective"]) <= set(METHODS)
    assert all(method.summary for method in METHODS.values())


def test_the_sweeps_own_schema_can_be_made() -> None:
    """All fields of a request are in it."""
    assert SweepSpec.model_json_schema()["properties"].keys() >= {"method", "grid", "trials"}
