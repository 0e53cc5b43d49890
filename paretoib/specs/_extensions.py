"""Extensions: trials, seeds or values that are added to a sweep that has ended."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field, field_validator, model_validator

from paretoib.documents import Document, preview
from paretoib.errors import SpecError
from paretoib.specs._axes import parse_axis
from paretoib.specs._defaults import MAX_TRIALS
from paretoib.specs._space import Choices, Range, parse_space

# The fields of a sweep that an extension may change.
EXTENDED_FIELDS = ("trials", "seeds", "grid", "space", "population")
_FIXED = ("method", "preset", "data", "model", "objective", "weighting", "search")
_MORE = re.compile(r"\+([1-9][0-9]{0,5})")


class Extension(Document):
    """One extension in the history of a sweep: when it was made, and the sweep before it."""

    at: AwareDatetime = Field(description="when the sweep was extended")
    ended: int = Field(ge=0, le=MAX_TRIALS, description="trials that had ended at that time")
    before: dict[str, Any] = Field(
        description="the fields of the sweep that were changed, with their earlier values"
    )

    @field_validator("before")
    @classmethod
    def _check_fields(cls, before: dict[str, Any]) -> dict[str, Any]:
        if not before or not before.keys() <= set(EXTENDED_FIELDS):
            known = ", ".join(EXTENDED_FIELDS)
            raise ValueError(f"should have some of the fields {known}; found {preview([*before])}")
        return before


def _parse_trials(value: Any) -> Any:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if value is None or (type(value) is int and value > 0) or is_more(value):
        return value
    raise ValueError(f"should be the new number, or +N for N more; found {preview(value)}")


def _parse_seeds(value: Any) -> Any:
    if value is None or is_more(value):
        return value
    seeds = value.split(",") if isinstance(value, str) else value
    if isinstance(seeds, list | tuple):
        texts = [str(seed).strip() for seed in seeds]
        if texts and all(text.isdecimal() and int(text) < 2**31 for text in texts):
            return tuple(dict.fromkeys(map(int, texts)))
    raise ValueError(f"should be seeds such as 3,4, or +N for N more; found {preview(value)}")


class Additions(Document):
    """What an extension adds to a sweep; also the body of `POST /sweeps/{sweep}/extend`."""

    trials: Annotated[int | str | None, BeforeValidator(_parse_trials)] = Field(
        None,
        description="the new number of trials, or a text such as `+16` for 16 more; not with "
        "search grid, whose axes determine the number",
    )
    seeds: Annotated[tuple[int, ...] | str | None, BeforeValidator(_parse_seeds)] = Field(
        None,
        description="further seeds, or a text such as `+2` for the next two; each setting is "
        "trained with them too. Only with search grid or adaptive",
    )
    grid: dict[str, Annotated[tuple[Any, ...], BeforeValidator(parse_axis)]] = Field(
        {},
        description="further values of fields. A field that was not varied keeps its value too. "
        "Only with search grid or adaptive",
    )
    space: dict[str, Annotated[Range | Choices, BeforeValidator(parse_space)]] = Field(
        {},
        description="wider ranges, or further choices, of fields; only with search adaptive",
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_changes(cls, document: Any) -> Any:
        if not isinstance(document, Mapping):
            raise SpecError(f"should be a mapping of fields; found {preview(document)}")
        for field in _FIXED:
            if field in document:
                raise SpecError(
                    f"{field}: should stay as it is when a sweep is extended; found "
                    f"{preview(document[field])}: start a new sweep"
                )
        for field in ("epochs", "training"):
            if field in document:
                raise SpecError(
                    f"{field}: should stay as it is, because trained trials cannot train further; "
                    f"found {preview(document[field])}: values of `epochs` in `grid` train every "
                    "setting again with so many epochs"
                )
        return document


def is_more(value: Any) -> bool:
    """Whether a value is a text such as `+16`, which stands for so many more."""
    return isinstance(value, str) and _MORE.fullmatch(value) is not None
