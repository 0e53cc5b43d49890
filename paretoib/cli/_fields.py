"""Single fields, axes and ranges as flags: FIELD=VALUE."""

from typing import Any

from paretoib.errors import SpecError

# Fields of a sweep, which no trial has, and the flags that set them.
_FLAGS = {
    "method": "--method",
    "dataset": "--dataset",
    "name": "--name",
    "search": "--search",
    "trials": "--trials",
    "seeds": "--seeds",
    "grid": "--grid",
    "space": "--space",
    "objectives": "--objectives",
    "population": "--population",
    "budget.seconds": "--budget-seconds",
    "budget.device_seconds": "--budget-device-seconds",
    "trial_seconds": "--trial-seconds",
    "prune": "--prune",
    "plateau": "--stop-on-plateau",
}
# What has no flag, or a flag for a part of it.
_SECTIONS = ("budget", "prune", "plateau", "reference")


def settings(given: list[str] | None, epochs: int | None) -> dict[str, Any]:
    """The single fields that `--set` and `--epochs` set."""
    from paretoib.specs import parse_value

    settings = {field: parse_value(text) for field, text in pairs(given, "--set").items()}
    for field in settings:
        if flag := _FLAGS.get(field):
            raise SpecError(f"--set: should be a field of trials; found `{field}`: use {flag}")
        if field.partition(".")[0] in _SECTIONS:
            raise SpecError(f"--set: should be a field of trials; found `{field}`: use --config")
    if epochs is None:
        return settings
    for field in ("epochs", "training.epochs"):
        if field in settings:
            raise SpecError(f"--epochs: should be given once; found --set {field} too")
    return settings | {"training.epochs": epochs}


def pairs(given: list[str] | None, option: str) -> dict[str, str]:
    """FIELD=VALUE, repeated, as a mapping."""
    parsed: dict[str, str] = {}
    for pair in given or ():
        field, equals, value = pair.partition("=")
        if not equals or not field:
            raise SpecError(f"{option}: should be FIELD=VALUE; found `{pair}`")
        if field in parsed:
            raise SpecError(f"{option}: `{field}` should be given once; found it twice")
        parsed[field] = value
    return parsed
