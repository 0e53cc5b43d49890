"""Sweeps that search, for tests of what they may say."""

from typing import Any

from paretoib.specs import SweepSpec

from . import refusing


def sweep(**document: Any) -> SweepSpec:
    return SweepSpec.from_document(_whole(document))


def refusal(**document: Any) -> str:
    """The one line that says why a sweep is refused."""
    return refusing.refusal(_whole(document))


def _whole(document: dict[str, Any]) -> dict[str, Any]:
    return {"method": "vib", "search": "random", **document}
