"""Sweeps that search, for tests of what they may say."""

from typing import Any

import pytest

from paretoib.errors import SpecError
from paretoib.specs import SweepSpec


def sweep(**document: Any) -> SweepSpec:
    return SweepSpec.from_document({"method": "vib", "search": "random", **document})


def refusal(**document: Any) -> str:
    """The one line that says why a sweep is refused."""
    with pytest.raises(SpecError) as caught:
        sweep(**document)
    assert "\n" not in str(caught.value)
    return str(caught.value)
