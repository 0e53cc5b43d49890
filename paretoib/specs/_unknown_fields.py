"""Errors for unknown and ambiguous fields, and for fields outside their section."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from paretoib.documents import Document, did_you_mean, nested_model, preview
from paretoib.errors import SpecError
from paretoib.specs._sections import REGISTRIES, parse_section


def unknown_field(field: str, known: list[str], entries: Mapping[str, str]) -> SpecError:
    """The error for an unknown field of a trial with these registry entries, by section.

    The text suggests a similar known field, or lists the entries that have the field.
    """
    bare = field.rpartition(".")[2]
    hint = did_you_mean(bare, known) or _owners(bare, entries)
    return SpecError(f"unknown field `{field}`{hint}; known: {', '.join(known)}")


def ambiguous_field(field: str, full_names: list[str]) -> SpecError:
    """The error for a bare name that several sections have."""
    return SpecError(f"`{field}` is in several sections: name one of {', '.join(full_names)}")


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


def _owners(field: str, entries: Mapping[str, str]) -> str:
    """A part of an error message: which registry entries have a field that `entries` lack."""
    owners = {
        kind: [name for name, entry in registry.items() if field in (p.name for p in entry.params)]
        for kind, registry in REGISTRIES.items()
    }
    listed = [
        f"{kind} `{entries[kind]}` has no such field; it is a field of {kind} {', '.join(names)}"
        for kind, names in owners.items()
        if names
    ]
    return f": {'; '.join(listed)}" if listed else ""
