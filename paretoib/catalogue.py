"""The catalogue: methods, data sets, models, searches and presets by name, with their fields.

The command line prints the catalogue. The service serves it, and builds the form for new sweeps
from it. This module imports no torch.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from paretoib.data import DATASETS
from paretoib.models import MODELS
from paretoib.objectives import OBJECTIVES
from paretoib.presets import PRESETS
from paretoib.registry import Entry, lookup
from paretoib.specs import METHODS, SEARCHES, SweepSpec, section_model
from paretoib.weighting import WEIGHTINGS

Schemas = dict[str, dict[str, Any]]

_REGISTRIES: dict[str, Mapping[str, Entry]] = {
    "data": DATASETS,
    "model": MODELS,
    "objective": OBJECTIVES,
    "weighting": WEIGHTINGS,
}


def catalogue(kind: str, *, local: bool = False) -> Schemas:
    """The entries of `methods`, `datasets`, `models`, `searches` or `presets` by name.

    With `local`, also entries that need files or code of this machine.

    An entry has a `summary`, a `paper` and `fields`: the JSON schema of each field of its section,
    with type, default, bounds and description. A search has no fields. A method has the fields of
    its objective and its weighting, and the names of its objective, weighting, models and search. A
    preset has no fields, but its protocol (`paretoib.presets.Preset`).

    Raises:
        SpecError: there is no such kind.
    """
    build = {
        "methods": _methods,
        "datasets": lambda: section_entries("data", local=local),
        "models": lambda: section_entries("model", local=local),
        "searches": _searches,
        "presets": _presets,
    }
    return lookup(build, kind, "kind of catalogue")()


def section_entries(section: str, *, local: bool = False) -> Schemas:
    """The registry entries for section `data`, `model`, `objective` or `weighting`, by name."""
    return {
        name: {"summary": entry.summary, "paper": entry.paper, "fields": _fields(section, name)}
        for name, entry in _entries(section, local).items()
    }


def _entries(section: str, local: bool) -> dict[str, Entry]:
    return {n: entry for n, entry in _REGISTRIES[section].items() if local or not entry.local}


def sweep_schema(ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
    """The JSON schema of a sweep's document for a service, with the fields of every entry."""
    schema = SweepSpec.model_json_schema(ref_template=ref_template)
    properties = schema["properties"]
    for section in _REGISTRIES:
        registry = _entries(section, local=False)
        properties[section] = {
            "description": f"a name, or a mapping with a name and fields of the {section}",
            "anyOf": [
                {"enum": list(registry)},
                *(_section_schema(section, name) for name in registry),
            ],
        }
    properties["method"] = {"enum": list(METHODS), "default": "mib"}
    properties["preset"]["anyOf"] = [{"enum": list(PRESETS)}, {"type": "null"}]
    properties["search"] = {
        "enum": list(SEARCHES),
        "description": "how trials are proposed; default: the method's search",
    }
    for field, examples in (
        ("grid", "such as `1e-5:1:16` (log-spaced) or `lin:0:1:5`"),
        ("space", "such as `1e-5:1`, `lin:0:1` or `int:2:256`"),
    ):
        values = properties[field]["additionalProperties"]
        text = {
            "type": "string",
            "description": f"values separated by commas, or a range {examples}",
        }
        properties[field]["additionalProperties"] = {"anyOf": [values, text]}
    # Every field has a default.
    schema.pop("required", None)
    return schema


def _methods() -> Schemas:
    return {
        name: {
            **method.described,
            "fields": method.own_defaults(
                _fields("objective", method.objective) | _fields("weighting", method.weighting)
            ),
        }
        for name, method in METHODS.items()
    }


def _searches() -> Schemas:
    return {
        name: {"summary": search.summary, "paper": "", "fields": {}}
        for name, search in SEARCHES.items()
    }


def _presets() -> Schemas:
    described = ("title", "paper", "table")
    return {
        name: {
            "summary": preset.title,
            "paper": preset.citation,
            "fields": {},
            **{k: v for k, v in preset.document.items() if k not in described},
        }
        for name, preset in PRESETS.items()
    }


@cache
def _fields(section: str, name: str) -> Schemas:
    """The JSON schema of every field of a section that names this entry."""
    properties: Schemas = section_model(section, name).model_json_schema()["properties"]
    return {field: schema for field, schema in properties.items() if field != "name"}


def _section_schema(section: str, name: str) -> dict[str, Any]:
    schema = section_model(section, name).model_json_schema()
    return {
        "type": "object",
        "title": name,
        "properties": {**schema["properties"], "name": {"const": name}},
        "required": ["name"],
        "additionalProperties": False,
    }
