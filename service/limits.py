"""Checks the size of a sweep against the limits in the settings."""

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from paretoib.errors import ParetoIBError
from paretoib.specs import SweepSpec, local_sections, parse_axis
from service.problems import ProblemError
from service.settings import ServiceSettings

_MAX_AXIS_CHARACTERS = 10_000


def limited_spec(document: Mapping[str, Any], limits: ServiceSettings) -> SweepSpec:
    """The sweep in the body of a request.

    Raises `ProblemError` for a sweep above the limits, `SpecError` for an invalid one. Sizes are
    checked before validation, because validation expands every value of an axis into trials.
    Sections that need files or code of one machine are refused before validation too, because
    validation reads the files.
    """
    _check_registered(document)
    _check("trials", _number(document.get("trials")), limits.max_trials)
    _check("seeds", _length(document.get("seeds")), limits.max_trials)
    for kind in ("grid", "space"):
        axes = document.get(kind)
        for field, values in axes.items() if isinstance(axes, Mapping) else ():
            _check(f"{kind}.{field}", _axis_length(f"{kind}.{field}", values), limits.max_axis)
    try:
        spec = SweepSpec.from_document(document)
    except RecursionError:
        raise ProblemError(422, "invalid-sweep", "the sweep is nested too deeply") from None
    check_limits(spec, limits)
    return spec


def check_limits(spec: SweepSpec, limits: ServiceSettings) -> None:
    """Raise `ProblemError` for a sweep with too many trials, or too many epochs per trial.

    Also for a stored sweep with sections that need files or code of one machine.
    """
    _check_registered(spec.document)
    _check("trials", spec.trials, limits.max_trials)
    epochs = spec.varied.get("training.epochs", ())
    varied = epochs if isinstance(epochs, tuple) else (epochs.high,)
    _check("training.epochs", max((spec.training.epochs, *varied)), limits.max_epochs)


def _check_registered(document: Mapping[str, Any]) -> None:
    for kind, name in local_sections(document):
        raise ProblemError(
            422,
            "not-registered",
            f"{kind}: a service runs registered names only; found `{name}`, which needs a file or "
            "code of the machine that began the sweep: run it there, or install a plugin here",
        )


def _axis_length(name: str, values: Any) -> int:
    if not isinstance(values, str):
        return _length(values)
    # YAML aliases (`&a`, `*a`) can expand without bound.
    if len(values) > _MAX_AXIS_CHARACTERS or "&" in values or "*" in values:
        raise ProblemError(
            422,
            "limit",
            f"{name}: should be a range, or values separated by commas, in at most "
            f"{_MAX_AXIS_CHARACTERS} characters",
        )
    # Text that is not an axis counts as 0: validation rejects it with a better message.
    with suppress(ValueError, RecursionError, ParetoIBError):
        return _length(parse_axis(values))
    return 0


def _length(values: Any) -> int:
    return len(values) if isinstance(values, list | tuple) else 0


def _number(value: Any) -> float:
    """The number that validation will read; 0 for a missing or an invalid value."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return 0


def _check(name: str, size: float, limit: int) -> None:
    if size > limit:
        raise ProblemError(
            422, "limit", f"{name}: this service allows at most {limit}; found {size:g}"
        )
