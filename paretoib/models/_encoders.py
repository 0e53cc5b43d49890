"""The encoders that this process knows: classes and functions of a user, by the digest of the code.

An encoder reaches other processes by value, and only from the process that has it: nothing that is
stored is ever run.
"""

from collections.abc import Mapping
from typing import Any

from paretoib.errors import SpecError
from paretoib.models._definition import Definition, label_of, required_arguments

_known: dict[str, Any] = {}

_RULE = (
    "encoder: should be a class or function that makes a new torch module, with no argument or "
    "with the number of outputs as its only argument"
)


def register_encoder(encoder: Any) -> dict[str, Any]:
    """Make an encoder known to this process; returns its fields of a model section.

    Raises `SpecError` for a module in place of its class, and for other arguments.
    """
    if not callable(encoder):
        raise SpecError(f"{_RULE}; found {encoder!r}")
    if hasattr(encoder, "state_dict") and not isinstance(encoder, type):
        raise SpecError(
            f"{_RULE}, because each trial begins with its own weights; found a module: pass its "
            f"class `{type(encoder).__name__}`"
        )
    try:
        count = required_arguments(encoder)
    except ValueError as error:
        raise SpecError(f"{_RULE}; found `{label_of(encoder)}` without a signature") from error
    if count > 1:
        raise SpecError(f"{_RULE}; found {count} required arguments of `{label_of(encoder)}`")
    code = Definition.of(encoder).digest
    _known[code] = encoder
    return {"name": "module", "encoder": label_of(encoder), "code": code}


def add_encoder(code: str, encoder: Any) -> None:
    """Make an encoder known to this process by the digest that another process has computed."""
    _known[code] = encoder


def encoder_of(section: Mapping[str, Any]) -> Any:
    """The encoder of a model section; `SpecError` if this process does not know it."""
    name, code = section.get("encoder"), section.get("code")
    if code in _known:
        return _known[code]
    if not code:
        raise SpecError(
            "model: `module` should be used from Python, as in "
            "`paretoib.sweep(…, encoder=MyModule)`; found no encoder"
        )
    raise SpecError(
        f"model.encoder: the code of `{name}` is only in the program that began the sweep: resume "
        f"it there with `paretoib.resume(SWEEP, encoder={name})`, or make `{name}` a plugin"
    )


def check_same_encoder(section: Mapping[str, Any], encoder: Any) -> None:
    """Make the encoder of a stored section known again.

    Raises `SpecError` if the section has no encoder, or if its code differs.
    """
    if section.get("name") != "module":
        raise SpecError(
            f"encoder: should be given for a sweep of model `module`; found `{section.get('name')}`"
        )
    if register_encoder(encoder)["code"] != section["code"]:
        raise SpecError(
            "encoder: should have the code with which the sweep began, because trials of different "
            f"code cannot be compared; found other code of `{label_of(encoder)}`, or another "
            "version of Python: begin a new sweep"
        )
