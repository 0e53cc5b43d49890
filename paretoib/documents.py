"""Frozen documents: validated on the way in, JSON and YAML both ways, errors in one plain line."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from paretoib.errors import SpecError


class Document(BaseModel):
    """Base of specs and records.

    Unknown keys, numbers that are not finite, and true or false for a number are refused.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True
    )

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, document: Any) -> Any:
        # pydantic takes true for 1.
        for name, value in document.items() if isinstance(document, Mapping) else ():
            if not _has_switch(value):
                continue
            field = cls.model_fields.get(name)
            kind = field.annotation if field else None
            if _has(kind, int, float) and not _has(kind, bool, Any):
                found = {"field": name, "found": preview(value)}
                raise PydanticCustomError(
                    _SWITCH, "should not be true or false; found {found}", found
                )
        return document

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
        with plain_errors(cls):
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
            return cls.from_document(load_yaml(text))
        except yaml.YAMLError as error:
            raise SpecError(f"should be YAML; found {_one_line(error)}") from error


class _Loader(yaml.SafeLoader):
    """YAML in which a mapping has each key once; PyYAML takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(
                    problem=f"the key `{key}` {keys.count(key)} times", problem_mark=node.start_mark
                )
        return super().construct_mapping(node, deep)


def load_yaml(text: str | bytes) -> Any:
    """What YAML text says; `yaml.YAMLError` for text that is none, or has a key twice."""
    return yaml.load(text, _Loader)


@contextmanager
def plain_errors(model: type[Document], what: str = "") -> Iterator[None]:
    """Turn pydantic's `ValidationError` of a model into a `SpecError` of one line."""
    try:
        yield
    except ValidationError as error:
        raise SpecError(f"{what}{_message(error, model)}") from error


_SWITCH = "switch"
# pydantic says "Input should …", "Tuple should … after validation, not 1"; after the field and
# before the value that was found "should …" reads best.
_SUBJECT = re.compile(r"^(\w+ (?=should )|Value error, )")
_SURPLUS = re.compile(
    r" after validation, not \d+$| or instance of \w+$|, unable to parse string as an? \w+$"
)
_LONGEST = 100  # characters of a value that is shown


def preview(value: object) -> str:
    """A value as errors show it: its beginning, where it is long."""
    return cut(repr(value))


def cut(text: str) -> str:
    """The beginning of a text that is long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def guess(name: str, known: Iterable[str]) -> str:
    """What was perhaps meant by a name, to be added to an error; nothing where none is near."""
    near = get_close_matches(name, known, n=1, cutoff=0.7)
    return f"; did you mean `{near[0]}`?" if near else ""


def rule(error: ValidationError) -> str:
    """The first rule that a value breaks, and the value."""
    first, more = _first(error)
    value, kind = first["input"], first["type"]
    text = _SURPLUS.sub("", _SUBJECT.sub("", first["msg"]))
    if kind == "missing":
        text = "should be given"
    if kind in ("dict_type", "model_type"):
        text = "should be a mapping"
    if kind == "tuple_type":
        scalar = isinstance(value, int | float | str)
        text = f"should be a list such as [{preview(value)}]" if scalar else "should be a list"
    said = kind in ("missing", "value_error", _SWITCH)
    return f"{text}{more}" if said else f"{text}; found {preview(value)}{more}"


def _message(error: ValidationError, model: type[Document]) -> str:
    first, _ = _first(error)
    inner = [first["ctx"]["field"]] if first["type"] == _SWITCH else []
    place = ".".join(str(part) for part in (*first["loc"], *inner))
    if first["type"] == "extra_forbidden":
        *outer, name = first["loc"]
        meant = guess(str(name), _fields(model, outer))
        return f"{place}: unknown field; found value {preview(first['input'])}{meant}"
    return f"{place}: {rule(error)}" if place else rule(error)


def _first(error: ValidationError) -> tuple[ErrorDetails, str]:
    """The first detail, and a note of how many more there are."""
    details = error.errors(include_url=False)
    places = [detail["loc"] for detail in details]
    # Without an item that is wrong, a list may also be too short.
    own = [
        detail
        for detail in details
        if detail["type"] != "too_short" or not any(_within(p, detail["loc"]) for p in places)
    ]
    return own[0], f" (and {len(own) - 1} more)" if len(own) > 1 else ""


def _within(place: tuple[int | str, ...], whole: tuple[int | str, ...]) -> bool:
    return len(place) > len(whole) and place[: len(whole)] == whole


def nested_model(model: Any, field: int | str) -> type[BaseModel] | None:
    """The model of a field that holds a document; None for any other field."""
    info = getattr(model, "model_fields", {}).get(field)
    kinds = (info.annotation, *get_args(info.annotation)) if info else ()
    return next((kind for kind in kinds if hasattr(kind, "model_fields")), None)


def _fields(model: Any, place: Iterable[int | str]) -> list[str]:
    """The fields of what a place in a model holds; none where that is no document."""
    for part in place:
        model = nested_model(model, part)
    return [f.alias or name for name, f in getattr(model, "model_fields", {}).items()]


def _has(kind: Any, *kinds: Any) -> bool:
    """Whether a type is one of these, or made of one."""
    return kind in kinds or any(_has(part, *kinds) for part in get_args(kind))


def _has_switch(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_has_switch, value))
    return isinstance(value, bool)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
