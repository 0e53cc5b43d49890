"""A submission that is cut off between two requests to MLflow."""

from pathlib import Path
from typing import Any

import pytest

from paretoib.errors import StoreAwayError
from paretoib.specs import SweepSpec
from service.store import Store


class Cut(Store):
    """A store that goes away after the first thing that is written of a sweep."""

    def _log(self, *_: Any, **__: Any) -> None:
        raise StoreAwayError("gone")


def test_what_was_begun_is_found_by_its_request(fresh_store: Path) -> None:
    """So a repetition makes no second sweep; and it counts as submitted, so it can be given up."""
    address = f"sqlite:///{fresh_store}/mlflow.db"
    with pytest.raises(StoreAwayError):
        Cut(address).make(SweepSpec.from_document({"method": "vib"}), "abc123")
    found = Store(address).requested("abc123")
    assert found is not None
    assert found.sweep.status == "running"
    assert found.submitted is not None
