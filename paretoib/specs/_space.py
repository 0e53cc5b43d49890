"""What a search varies: ranges and choices of fields, and those that a method has by default."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from paretoib.documents import Document, preview
from paretoib.errors import SpecError
from paretoib.objectives import OBJECTIVES
from paretoib.registry import Param
from paretoib.specs._axes import parse_range
from paretoib.specs._methods import ADAPTIVE_FIELDS
from paretoib.specs._trial import TrialSpec
from paretoib.weighting import WEIGHTINGS


class Range(Document):
    """Any number from `low` to `high`, both included; as text `1e-5:1`, `lin:0:1`, `int:2:256`."""

    low: float
    high: float
    scale: Literal["log", "lin"] = Field("log", description="on which the numbers lie evenly")
    whole: bool = Field(False, description="whole numbers alone, as fields that take them have")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        ends = f"{self.low:g}:{self.high:g}"
        if not self.low < self.high:
            raise ValueError(f"a range should have LOW < HIGH; found `{ends}`")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(
                f"a logarithmic range should start above 0, or be lin:{ends}; found `{ends}`"
            )
        if self.whole and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"a range of whole numbers should have whole ends; found `{ends}`")
        return self


Choices = tuple[Any, ...]
# Ends of the logarithmic ranges that are better known than declared bounds would tell; noise from
# Alemi et al.'s start to that of the prior.
_RANGES = {"initial_scale": (0.1, 2.0), "initial_noise": (0.0067, 1.0), "mu": (0.02, 20.0)}
_LENGTHS = (0.25, 0.5, 1.0)  # of training, as shares of the epochs


def parse_space(value: Any) -> Range | Choices:
    """A range or choices from text, a mapping or a list; `ValueError` for what is neither."""
    parsed = parse_range(value) if isinstance(value, str) else value
    if isinstance(parsed, Mapping):
        try:
            return Range.from_document(parsed)
        except SpecError as error:
            raise ValueError(str(error)) from None
    if isinstance(parsed, list | tuple):
        return tuple(parsed)
    if isinstance(parsed, Range):
        return parsed
    rule = "should be a range such as `1e-5:1`, or a list of values"
    raise ValueError(f"{rule}; found {preview(value)}")


def default_space(template: TrialSpec, *, starts: bool = False) -> dict[str, Range | Choices]:
    """What a search varies unless told otherwise, by full names.

    What the weighting's row declares as differing between the trials of a pack, β over the
    objective's range. Without β, or a loss for it, or where `starts` are asked for, also where
    training starts and how long it goes on, as a min-norm method stops on the front where these
    lead it.
    """
    declared: dict[str, Range | Choices] = {
        f"weighting.{param.name}": found
        for param in WEIGHTINGS[template.weighting.name].params
        if param.per_trial and param.name != "beta" and (found := _declared(param))
    }
    if template.weighs_compression and not starts:
        low, high = OBJECTIVES[template.objective.name].betas
        return {"weighting.beta": Range(low=low, high=high), **declared}
    noise = OBJECTIVES[template.objective.name].noise_of(template.objective.params)
    learned = noise in ("learned", "scale")
    where = {
        f"model.{name}": Range(low=_RANGES[name][0], high=_RANGES[name][1])
        for name in ADAPTIVE_FIELDS
        if name in template.model.params and (learned or name != "initial_noise")
    }
    epochs, least = template.training.epochs, template.least_epochs
    lengths = dict.fromkeys(min(epochs, max(least, round(epochs * s))) for s in _LENGTHS)
    return {**where, **declared, "training.epochs": tuple(lengths)}


def _declared(param: Param) -> Range | None:
    """A hyperparameter's range by its row; None for one without numbers to tell it from.

    All of a bounded whole number and of a share, and else two decades around a positive default;
    a bound that is itself excluded is kept away from.
    """
    if param.name in _RANGES:
        low, high = _RANGES[param.name]
        return Range(low=low, high=high)
    least = param.ge if param.gt is None else param.gt
    most = param.le if param.lt is None else param.lt
    if param.kind is int and least is not None and most is not None:
        return Range(low=least, high=most, scale="lin", whole=True)
    if param.kind is not float:
        return None
    if (least, most) == (0, 1):
        low, high = 0.02 * (param.gt == 0), 1 - 0.02 * (param.lt == 1)
        return Range(low=low, high=high, scale="lin")
    if param.default <= 0:
        return None
    low, high = param.default / 10, param.default * 10
    if least is not None and low <= least:
        low = (param.default + least) / 2
    if most is not None and high >= most:
        high = (param.default + most) / 2
    return Range(low=low, high=high)
