"""`GET /methods`, `/datasets`, `/models`, `/searches`: what there is, with every field's schema."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from fastapi import APIRouter

from paretoib.data import DATASETS
from paretoib.models import MODELS
from paretoib.objectives import OBJECTIVES
from paretoib.registry import Entry
from paretoib.specs import METHODS, SEARCHES, section_model
from paretoib.weighting import WEIGHTINGS
from service.problems import problem_responses

router = APIRouter(tags=["catalogue"], responses=problem_responses(400, 401, 403, 429))

Rows = dict[str, dict[str, Any]]


# Not plain functions: what asks nobody does not wait for a thread behind what does.


@router.get("/methods", summary="Methods: objective, weighting and search in one")
async def methods() -> dict[str, Any]:
    """Each method's parts, and the JSON schemas of the fields of objective and weighting."""
    return {"schema": 1, "methods": method_rows()}


@router.get("/datasets", summary="Data sets")
async def datasets() -> dict[str, Any]:
    """Each data set, and the JSON schemas of its fields."""
    return {"schema": 1, "datasets": rows("data", DATASETS)}


@router.get("/models", summary="Models")
async def models() -> dict[str, Any]:
    """Each model, and the JSON schemas of its fields."""
    return {"schema": 1, "models": rows("model", MODELS)}


@router.get("/searches", summary="Searches: how the trials of a sweep are proposed")
async def searches() -> dict[str, Any]:
    """Each search; what one varies is the `space` of a sweep."""
    found = {n: {"summary": s.summary, "paper": "", "fields": {}} for n, s in SEARCHES.items()}
    return {"schema": 1, "searches": found}


@cache
def method_rows() -> Rows:
    """The rows of `GET /methods`."""
    return {
        name: {
            **method.described,
            "fields": method.own_defaults(
                fields("objective", method.objective) | fields("weighting", method.weighting)
            ),
        }
        for name, method in METHODS.items()
    }


def rows(kind: str, registry: Mapping[str, Entry]) -> Rows:
    """A registry's rows."""
    return {
        name: {"summary": row.summary, "paper": row.paper, "fields": fields(kind, name)}
        for name, row in registry.items()
    }


@cache
def fields(kind: str, name: str) -> Rows:
    """The JSON schema of every field of a section: type, default, bounds, description."""
    properties: Rows = section_model(kind, name).model_json_schema()["properties"]
    return {field: schema for field, schema in properties.items() if field != "name"}


@cache
def sweep_schema() -> dict[str, Any]:
    """The JSON schema of the body of `POST /sweeps`: a `SweepSpec`, its sections by their names."""
    from paretoib.specs import SweepSpec

    schema = SweepSpec.model_json_schema(ref_template="#/components/schemas/{model}")
    registries: dict[str, Mapping[str, Entry]] = {
        "data": DATASETS,
        "model": MODELS,
        "objective": OBJECTIVES,
        "weighting": WEIGHTINGS,
    }
    for kind, registry in registries.items():
        schema["properties"][kind] = {
            "description": f"a name, or a mapping with a name and fields of the {kind}",
            "anyOf": [{"enum": list(registry)}, *(_section(kind, name) for name in registry)],
        }
    schema["properties"]["method"] = {"enum": list(METHODS), "default": "mib"}
    schema["properties"]["search"] = {
        "enum": list(SEARCHES),
        "description": "how trials are proposed; by default the method's",
    }
    for kind, ranges in (
        ("grid", "such as `1e-5:1:16`, log-spaced, or `lin:0:1:5`"),
        ("space", "such as `1e-5:1`, `lin:0:1` or `int:2:256`"),
    ):
        values = schema["properties"][kind]["additionalProperties"]
        text = {"type": "string", "description": f"values and commas, or a range {ranges}"}
        schema["properties"][kind]["additionalProperties"] = {"anyOf": [values, text]}
    # What is left out is filled in, by method and data set.
    schema.pop("required", None)
    return schema


def _section(kind: str, name: str) -> dict[str, Any]:
    schema = section_model(kind, name).model_json_schema()
    return {
        "type": "object",
        "title": name,
        "properties": {**schema["properties"], "name": {"const": name}},
        "required": ["name"],
        "additionalProperties": False,
    }
