"""Errors for fields that are unknown, or that are outside their section."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from paretoib.documents import Document, guess, nested_model, preview
from paretoib.errors import SpecError
from paretoib.specs._sections import REGISTRIES, parse_section


def unknown_field(name: str, known: list[str], where: str) -> SpecError:
    """The error for a field that is not there, with the nearest that is."""
    bare = name.rpartition(".")[2]
    meant = guess(bare, known) or _elsewhere(bare)
    return SpecError(f"unknown field `{name}` {where}{meant}; known: {', '.join(known)}")


def check_misplaced(document: Mapping[str, Any], model: type[Document]) -> None:
    """Refuse a field of a section that stands beside the sections of a `model`'s document.

    The document has all of its sections. Raises `SpecError` with the full name.
    """
    known = {"schema", *model.model_fields}
    for name in (name for name in document if name not in known):
        for section, fields in _sections(document, model).items():
            if name in fields.model_fields:
                raise SpecError(
                    f"{name}: unknown field; found value {preview(document[name])}; "
                    f"did you mean `{section}.{name}`?"
                )


def _sections(document: Mapping[str, Any], model: type[Document]) -> dict[str, type[BaseModel]]:
    """The sections of a document, each with its model."""
    named = {kind: type(parse_section(kind, document[kind])) for kind in REGISTRIES}
    others = {name: nested_model(model, name) for name in model.model_fields if name not in named}
    return named | {name: nested for name, nested in others.items() if nested}


def _elsewhere(name: str) -> str:
    """Which rows have the field, where others were chosen."""
    owners = {
        kind: [row for row, entry in registry.items() if name in (p.name for p in entry.params)]
        for kind, registry in REGISTRIES.items()
    }
    told = [f"{kind} {', '.join(rows)}" for kind, rows in owners.items() if rows]
    return f"; it is a field of {' and of '.join(told)}" if told else ""
