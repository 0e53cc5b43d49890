"""Errors for unknown fields, and for fields outside their section."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from paretoib.documents import Document, did_you_mean, nested_model, preview
from paretoib.errors import SpecError
from paretoib.specs._sections import REGISTRIES, parse_section


def unknown_field(name: str, known: list[str], where: str) -> SpecError:
    """The error for an unknown field; it suggests a similar one, or entries that have the field."""
    bare = name.rpartition(".")[2]
    hint = did_you_mean(bare, known) or _owners(bare)
    return SpecError(f"unknown field `{name}` {where}{hint}; known: {', '.join(known)}")


def check_misplaced(document: Mapping[str, Any], model: type[Document]) -> None:
    """Refuse a section's field at the top level of a document, as in `{"epochs": 3}`.

    `document` has all sections that `model` requires. Raises `SpecError` with the full name.
    """
    known = {"schema", *model.model_fields}
    for name in (name for name in document if name not in known):
        for section, section_type in _section_types(document, model).items():
            if name in section_type.model_fields:
                raise SpecError(
                    f"{name}: unknown field; found value {preview(document[name])}; "
                    f"did you mean `{section}.{name}`?"
                )


def _section_types(
    document: Mapping[str, Any], model: type[Document]
) -> dict[str, type[BaseModel]]:
    named = {kind: type(parse_section(kind, document[kind])) for kind in REGISTRIES}
    others = {name: nested_model(model, name) for name in model.model_fields if name not in named}
    return named | {name: nested for name, nested in others.items() if nested}


def _owners(field: str) -> str:
    """The end of an error message that lists the registry entries with a field."""
    owners = {
        kind: [name for name, entry in registry.items() if field in (p.name for p in entry.params)]
        for kind, registry in REGISTRIES.items()
    }
    listed = [f"{kind} {', '.join(names)}" for kind, names in owners.items() if names]
    return f"; it is a field of {' and of '.join(listed)}" if listed else ""
