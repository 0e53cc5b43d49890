"""Specs of sweeps with a search: by default method `vib` with search `random`."""

from typing import Any

from paretoib.specs import SweepSpec

from . import spec_errors


def sweep(**fields: Any) -> SweepSpec:
    """The spec with these fields."""
    return SweepSpec.from_document(_document(fields))


def error_message(**fields: Any) -> str:
    """The error message for the spec with these fields."""
    return spec_errors.error_message(_document(fields))


def _document(fields: dict[str, Any]) -> dict[str, Any]:
    return {"method": "vib", "search": "random", **fields}
