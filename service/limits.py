"""What a sweep may ask for over the network: sizes, each with a limit of the settings."""

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from paretoib.errors import ParetoIBError
from paretoib.specs import SweepSpec, parse_axis
from service.problems import ProblemError
from service.settings import ServiceSettings

_LONGEST_AXIS = 10_000  # characters


def limited_spec(document: Mapping[str, Any], limits: ServiceSettings) -> SweepSpec:
    """The sweep that a request describes.

    Raises `ProblemError` for one that is too large, `SpecError` for one that cannot be run. Sizes
    are looked at before anything is validated: each value of an axis makes a whole trial.
    """
    _at_most("trials", _whole(document.get("trials")), limits.max_trials)
    _at_most("seeds", _length(document.get("seeds")), limits.max_trials)
    for kind in ("grid", "space"):
        axes = document.get(kind)
        for field, values in axes.items() if isinstance(axes, Mapping) else ():
            _at_most(f"{kind}.{field}", _axis_length(f"{kind}.{field}", values), limits.max_axis)
    try:
        spec = SweepSpec.from_document(document)
    except RecursionError:
        raise ProblemError(422, "invalid-sweep", "a sweep should not be nested so deeply") from None
    check_limits(spec, limits)
    return spec


def check_limits(spec: SweepSpec, limits: ServiceSettings) -> None:
    """Refuse a sweep of more trials, or of longer ones, than the service takes."""
    _at_most("trials", spec.trials, limits.max_trials)
    choices = spec.varied.get("training.epochs", ())
    longest = choices if isinstance(choices, tuple) else (choices.high,)
    _at_most("training.epochs", max((spec.training.epochs, *longest)), limits.max_epochs)


def _axis_length(name: str, values: Any) -> int:
    if not isinstance(values, str):
        return _length(values)
    # What YAML would unfold without end.
    if len(values) > _LONGEST_AXIS or "&" in values or "*" in values:
        raise ProblemError(422, "limit", f"{name}: should be a range, or values and commas")
    # One that is no axis, validation says more of.
    with suppress(ValueError, RecursionError, ParetoIBError):
        return _length(parse_axis(values))
    return 0


def _length(values: Any) -> int:
    return len(values) if isinstance(values, list | tuple) else 0


def _whole(value: Any) -> float:
    """A number as validation would read it; 0 for what is none."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return 0


def _at_most(what: str, found: float, most: int) -> None:
    if found > most:
        raise ProblemError(
            422, "limit", f"{what}: this service takes at most {most}; found {found:g}"
        )
