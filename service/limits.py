"""Checks the size of a sweep against the limits in the settings."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from paretoib.errors import ParetoIBError
from paretoib.records import SweepState
from paretoib.specs import Additions, SweepSpec, local_sections, parse_axis
from paretoib.tracking import extended_spec
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
    for part in (document, *_earlier(document)):
        _check_sizes(part, limits)
    with _depth_checked():
        spec = SweepSpec.from_document(document)
    check_limits(spec, limits)
    return spec


def limited_additions(document: Mapping[str, Any], limits: ServiceSettings) -> Additions:
    """What the body of a request adds to a sweep; raises as `limited_spec`."""
    _check_sizes(document, limits)
    with _depth_checked():
        return Additions.from_document(document)


def limited_extension(
    sweep: SweepState, additions: Additions, limits: ServiceSettings
) -> SweepSpec:
    """The spec of a sweep with these additions.

    Raises `ProblemError` for a spec above the limits, and what `extended_spec` raises.
    """
    _check_registered(sweep.spec)  # before validation, which reads files
    with _depth_checked():
        spec = extended_spec(sweep, additions)
    check_limits(spec, limits)
    return spec


@contextmanager
def _depth_checked() -> Iterator[None]:
    """Raise `ProblemError` if a document is nested too deeply to be validated."""
    try:
        yield
    except RecursionError:
        raise ProblemError(422, "invalid-sweep", "the sweep is nested too deeply") from None


def _check_sizes(document: Mapping[str, Any], limits: ServiceSettings) -> None:
    """Raise `ProblemError` for a body with too many trials or seeds, or too long an axis."""
    _check("trials", _number(document.get("trials")), limits.max_trials)
    seeds = document.get("seeds")
    more = isinstance(seeds, str) and seeds.startswith("+")
    _check("seeds", _number(seeds) if more else _length(seeds), limits.max_trials)
    for kind in ("grid", "space"):
        axes = document.get(kind)
        for field, values in axes.items() if isinstance(axes, Mapping) else ():
            _check(f"{kind}.{field}", _axis_length(f"{kind}.{field}", values), limits.max_axis)


def _earlier(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The earlier fields in the history of an extended sweep, which are validated too."""
    extensions = document.get("extensions")
    for extension in extensions if isinstance(extensions, list) else ():
        before = extension.get("before") if isinstance(extension, Mapping) else None
        if isinstance(before, Mapping):
            yield before


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
