"""Base class of specs and records: frozen, validated, read and written as JSON and YAML."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from paretoib.errors import SpecError


class Document(BaseModel):
    """Base class of specs and records.

    Refuses unknown keys, numbers that are not finite, and true or false in place of a number.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_booleans_for_numbers(cls, document: Any) -> Any:
        # pydantic would read true as 1.
        for name, value in document.items() if isinstance(document, Mapping) else ():
            if not _contains_bool(value):
                continue
            field = cls.model_fields.get(name)
            annotation = field.annotation if field else None
            if _mentions(annotation, int, float) and not _mentions(annotation, bool, Any):
                context = {"field": name, "found": preview(value)}
                raise PydanticCustomError(
                    _BOOLEAN, "should not be true or false; found {found}", context
                )
        return document

    @property
    def document(self) -> dict[str, Any]:
        """A new mapping of plain JSON values, under the public names of the fields."""
        return self.model_dump(mode="json", by_alias=True)

    def to_json(self, *, indent: int | None = None) -> str:
        """JSON text."""
        return json.dumps(self.document, indent=indent, ensure_ascii=False)

    def to_yaml(self) -> str:
        """YAML text, with the fields in the order of the class."""
        return yaml.safe_dump(self.document, sort_keys=False, allow_unicode=True)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Validate a mapping; raises `SpecError` with the field, the rule and the value."""
        with as_spec_error(cls):
            return cls.model_validate(document)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read JSON text; raises `SpecError` for invalid JSON and for an invalid document."""
        try:
            return cls.from_document(load_json(text))
        except ValueError as error:
            raise SpecError(f"should be JSON; found {_one_line(error)}") from error

    @classmethod
    def from_yaml(cls, text: str | bytes) -> Self:
        """Read YAML text; raises `SpecError` for invalid YAML and for an invalid document."""
        try:
            return cls.from_document(load_yaml(text))
        except yaml.YAMLError as error:
            raise SpecError(f"should be YAML; found {_one_line(error)}") from error


class _Loader(yaml.SafeLoader):
    """A YAML loader that refuses repeated keys; PyYAML would keep the last one.

    It reads numbers as YAML 1.2 does and dates as text. In YAML 1.1, which PyYAML follows, `1:30`
    is 90, `010` is 8, and `1e-4` is text.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(
                    problem=f"the key `{key}` {keys.count(key)} times", problem_mark=node.start_mark
                )
        return super().construct_mapping(node, deep)


_TAG = "tag:yaml.org,2002:"
_NUMBERS = {
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
}
_Loader.yaml_implicit_resolvers = {
    character: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag.removeprefix(_TAG) not in (*_NUMBERS, "timestamp")
    ]
    for character, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind, _pattern in _NUMBERS.items():
    _Loader.add_implicit_resolver(
        _TAG + _kind, re.compile(f"^(?:{_pattern})$"), list("-+.0123456789")
    )
_Loader.add_constructor(
    f"{_TAG}int",
    lambda _, node: int(node.value, 0 if node.value[:2] in ("0o", "0x") else 10),
)


class RepeatedKeyError(ValueError):
    """A JSON object has a key more than once."""


def load_json(text: str | bytes) -> Any:
    """Parse JSON text; raises `ValueError` for invalid text and for repeated keys."""
    return json.loads(text, object_pairs_hook=_without_repeated_keys)


def _without_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = Counter(key for key, _ in pairs)
    for key, count in keys.items():
        if count > 1:
            raise RepeatedKeyError(f"the key `{key}` {count} times")
    return dict(pairs)


def load_yaml(text: str | bytes) -> Any:
    """Parse YAML text; raises `yaml.YAMLError` for invalid text and for repeated keys."""
    return yaml.load(text, _Loader)


@contextmanager
def as_spec_error(model: type[Document], prefix: str = "") -> Iterator[None]:
    """Turn pydantic's `ValidationError` of a model into a `SpecError` of one line."""
    try:
        yield
    except ValidationError as error:
        raise SpecError(f"{prefix}{_message(error, model)}") from error


_BOOLEAN = "boolean_for_number"  # the error type
# pydantic writes "Input should …" or "Tuple should … after validation, not 1". Our errors are
# "FIELD: should …; found VALUE", so the subject and the end are cut off.
_SUBJECT = re.compile(r"^(\w+ (?=should )|Value error, )")
_SURPLUS = re.compile(
    r" after validation, not \d+$| or instance of \w+$|, unable to parse string as an? \w+$"
)
_MAX_PREVIEW = 100  # characters


def preview(value: object) -> str:
    """A value as error messages quote it; a long one is truncated."""
    return truncate(repr(value))


def truncate(text: str) -> str:
    """A text as error messages quote it: its first 100 characters."""
    return text if len(text) <= _MAX_PREVIEW else f"{text[:_MAX_PREVIEW]}…"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error message that suggests a similar known name; empty if none is similar."""
    near = get_close_matches(name, known, n=1, cutoff=0.7)
    return f"; did you mean `{near[0]}`?" if near else ""


def rule(error: ValidationError) -> str:
    """The first rule that the input breaks, the value found, and the number of further errors."""
    first, more = _first_detail(error)
    value, kind = first["input"], first["type"]
    text = _SURPLUS.sub("", _SUBJECT.sub("", first["msg"]))
    if kind == "missing":
        text = "should be given"
    if kind in ("dict_type", "model_type"):
        text = "should be a mapping"
    if kind == "tuple_type":
        scalar = isinstance(value, int | float | str)
        text = f"should be a list such as [{preview(value)}]" if scalar else "should be a list"
    if kind in ("missing", "value_error", _BOOLEAN):  # the message quotes the value, if any
        return f"{text}{more}"
    return f"{text}; found {preview(value)}{more}"


def _message(error: ValidationError, model: type[Document]) -> str:
    first, _ = _first_detail(error)
    inner = [first["ctx"]["field"]] if first["type"] == _BOOLEAN else []
    field = ".".join(str(part) for part in (*first["loc"], *inner))
    if first["type"] == "extra_forbidden":
        *outer, name = first["loc"]
        suggestion = did_you_mean(str(name), _field_names(model, outer))
        return f"{field}: unknown field; found value {preview(first['input'])}{suggestion}"
    return f"{field}: {rule(error)}" if field else rule(error)


def _first_detail(error: ValidationError) -> tuple[ErrorDetails, str]:
    """The first detail of an error, and a note with the number of further details."""
    details = error.errors(include_url=False)
    locations = [detail["loc"] for detail in details]
    # pydantic drops an invalid item from its list and then may also report the list as too short.
    kept = [
        detail
        for detail in details
        if detail["type"] != "too_short" or not any(_is_in(loc, detail["loc"]) for loc in locations)
    ]
    return kept[0], f" (and {len(kept) - 1} more)" if len(kept) > 1 else ""


def _is_in(location: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(location) > len(outer) and location[: len(outer)] == outer


def nested_model(model: Any, field: int | str) -> type[BaseModel] | None:
    """The model of a field that holds a document; None for any other field."""
    info = getattr(model, "model_fields", {}).get(field)
    annotations = (info.annotation, *get_args(info.annotation)) if info else ()
    return next((kind for kind in annotations if hasattr(kind, "model_fields")), None)


def _field_names(model: Any, location: Iterable[int | str]) -> list[str]:
    """The public field names of the document at a location; none if there is no document."""
    for part in location:
        model = nested_model(model, part)
    return [f.alias or name for name, f in getattr(model, "model_fields", {}).items()]


def _mentions(annotation: Any, *types: Any) -> bool:
    """Whether an annotation is one of the types, or contains one, as `tuple[int, ...]` does."""
    return annotation in types or any(_mentions(part, *types) for part in get_args(annotation))


def _contains_bool(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_contains_bool, value))
    return isinstance(value, bool)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
