"""Search spaces: ranges and choices of fields, and the default space of a trial."""

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
    """The numbers from `low` to `high`, both included; as text `1e-5:1`, `lin:0:1`, `int:2:256`."""

    low: float
    high: float
    scale: Literal["log", "lin"] = Field(
        "log", description="the scale on which numbers are evenly spaced"
    )
    whole: bool = Field(False, description="whole numbers only; always true for an integer field")

    @model_validator(mode="after")
    def _check_ends(self) -> Self:
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
# Logarithmic ranges for fields whose declared bounds are too wide. The initial noise lies between
# the width of Alemi et al. (0.0067) and the width of the prior (1).
_RANGES = {
    "initial_scale": (0.1, 2.0),
    "initial_noise": (0.0067, 1.0),
    "mu": (0.02, 20.0),
    "iterations": (2, 200),
}
_EPOCH_SHARES = (0.25, 0.5, 1.0)


def parse_space(value: Any) -> Range | Choices:
    """A range or choices from text, a mapping or a list; raises `ValueError` for anything else."""
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


def default_space(
    template: TrialSpec, *, vary_initialisation: bool = False
) -> dict[str, Range | Choices]:
    """The ranges and choices that a search varies by default, under full field names.

    The per-trial parameters of the weighting vary: β over the objective's range. If none of them
    is `along_front`, the initialisation and the length of training vary too. These determine which
    point of the front such a weighting reaches. `vary_initialisation` has the same effect
    for any trial. The initial noise varies only if the noise is learned.
    """
    weighting = template.weighting
    params = [param for param in WEIGHTINGS[weighting.name].params if _has_effect(param, template)]
    declared: dict[str, Range | Choices] = {
        f"weighting.{param.name}": range_
        for param in params
        if param.name != "beta" and (range_ := _range_of(param))
    }
    if any(param.along_front for param in params) and not vary_initialisation:
        if template.weighs_compression:
            low, high = OBJECTIVES[template.objective.name].betas
            return {"weighting.beta": Range(low=low, high=high), **declared}
        return declared
    noise = OBJECTIVES[template.objective.name].noise_of(template.objective.params)
    learned = noise in ("learned", "scale")
    initial = {
        f"model.{name}": Range(low=_RANGES[name][0], high=_RANGES[name][1])
        for name in ADAPTIVE_FIELDS
        if name in template.model.params and (learned or name != "initial_noise")
    }
    epochs, lowest = template.training.epochs, template.min_epochs
    choices = dict.fromkeys(min(epochs, max(lowest, round(epochs * s))) for s in _EPOCH_SHARES)
    return {**initial, **declared, "training.epochs": tuple(choices)}


def field_along_front(template: TrialSpec, space: Mapping[str, Range | Choices]) -> str | None:
    """The field of the space that is a range and moves a trial along the front; None without it."""
    params = WEIGHTINGS[template.weighting.name].params
    along = (f"weighting.{p.name}" for p in params if p.along_front and _has_effect(p, template))
    return next((field for field in along if isinstance(space.get(field), Range)), None)


def _has_effect(param: Param, template: TrialSpec) -> bool:
    """Whether a per-trial parameter of the weighting has an effect in this trial."""
    if param.name == "beta":
        return template.weighs_compression
    return param.per_trial and param.has_effect(template.weighting.params)


def _range_of(param: Param) -> Range | Choices | None:
    """The range or the choices of a hyperparameter in the default space, from its declaration.

    The result is None for a hyperparameter that the default space does not vary. The values of a
    bounded integer are choices. A float between 0 and 1 is varied from 0 to 1; a bound that is
    excluded is replaced by 0.02 or 0.98. Any other float is varied over two decades around its
    positive default, within its bounds.
    """
    if param.name in _RANGES:
        low, high = _RANGES[param.name]
        return Range(low=low, high=high, whole=param.kind is int)
    lowest = param.ge if param.gt is None else param.gt
    highest = param.le if param.lt is None else param.lt
    if param.kind is int and lowest is not None and highest is not None:
        return tuple(range(int(lowest), int(highest) + 1))
    if param.kind is not float:
        return None
    if (lowest, highest) == (0, 1):
        low, high = 0.02 * (param.gt == 0), 1 - 0.02 * (param.lt == 1)
        return Range(low=low, high=high, scale="lin")
    if param.default <= 0:
        return None
    low, high = param.default / 10, param.default * 10
    if lowest is not None and low <= lowest:
        low = (param.default + lowest) / 2
    if highest is not None and high >= highest:
        high = (param.default + highest) / 2
    return Range(low=low, high=high)
