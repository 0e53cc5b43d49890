"""The error messages of invalid specs."""

from typing import Any

import pytest

from paretoib.errors import SpecError
from paretoib.specs import SweepSpec


def error_message(document: Any) -> str:
    """The error message for an invalid document of a sweep; it has one line."""
    with pytest.raises(SpecError) as caught:
        SweepSpec.from_document(document)
    assert "\n" not in str(caught.value)
    return str(caught.value)
