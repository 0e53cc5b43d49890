"""Frozen documents: validated on the way in, JSON and YAML both ways, errors in one plain line."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from paretoib.errors import SpecError


class Document(BaseModel):
    """Base of specs and records. Unknown keys and numbers that are not finite are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True
    )

    @property
    def document(self) -> dict[str, Any]:
        """Plain JSON values under their public names, made anew."""
        return self.model_dump(mode="json", by_alias=True)

    def to_json(self, *, indent: int | None = None) -> str:
        """JSON text."""
        return json.dumps(self.document, indent=indent, ensure_ascii=False)

    def to_yaml(self) -> str:
        """YAML text, with the fields in their order."""
        return yaml.safe_dump(self.document, sort_keys=False, allow_unicode=True)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """What a mapping describes; `SpecError` with the field, the rule and the value."""
        with plain_errors():
            return cls.model_validate(document)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """What `to_json` wrote; `SpecError` for text that is no such document."""
        try:
            return cls.from_document(json.loads(text))
        except ValueError as error:
            raise SpecError(f"should be JSON; found {_one_line(error)}") from error

    @classmethod
    def from_yaml(cls, text: str | bytes) -> Self:
        """What `to_yaml` wrote; `SpecError` for text that is no such document."""
        try:
            return cls.from_document(yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise SpecError(f"should be YAML; found {_one_line(error)}") from error


@contextmanager
def plain_errors(what: str = "") -> Iterator[None]:
    """Turn pydantic's `ValidationError` into a `SpecError` of one line."""
    try:
        yield
    except ValidationError as error:
        raise SpecError(f"{what}{_message(error)}") from error


# pydantic says "Input should …", "Tuple should … after validation, not 1"; after the field and
# before the value that was found "should …" reads best.
_SUBJECT = re.compile(r"^(\w+ (?=should )|Value error, )")
_SURPLUS = re.compile(r" after validation, not \d+$| or instance of \w+$")
_LONGEST = 100  # characters of a value that is shown


def _message(error: ValidationError) -> str:
    details = error.errors(include_url=False)
    first = details[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{place}: unknown field; found value {_shown(first['input'])}"
    text = _SURPLUS.sub("", _SUBJECT.sub("", first["msg"]))
    found = (
        "" if first["type"] in ("missing", "value_error") else f"; found {_shown(first['input'])}"
    )
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{place}: {text}{found}{more}" if place else f"{text}{found}{more}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
