"""Why a document is refused."""

from typing import Any

import pytest

from paretoib.errors import SpecError
from paretoib.specs import SweepSpec


def refusal(document: Any) -> str:
    """The one line that says why the document is refused."""
    with pytest.raises(SpecError) as caught:
        SweepSpec.from_document(document)
    assert "\n" not in str(caught.value)
    return str(caught.value)
