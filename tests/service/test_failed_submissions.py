"""Submissions that fail between two requests to MLflow."""

from pathlib import Path
from typing import Any

import pytest

from paretoib.errors import StoreUnavailableError
from paretoib.specs import SweepSpec
from paretoib.tracking._mlflow.submissions import SubmissionTracker


class FailingStore(SubmissionTracker):
    """A store that fails after the run of a sweep has been created."""

    def _log(self, *_: Any, **__: Any) -> None:
        raise StoreUnavailableError("no answer")


def test_a_repeated_request_finds_the_created_sweep(fresh_store: Path) -> None:
    """After a failed submission, the same request finds the sweep, so no second sweep is created.

    The sweep is marked as submitted, so that the service can close it.
    """
    address = f"sqlite:///{fresh_store}/mlflow.db"
    with pytest.raises(StoreUnavailableError):
        FailingStore(address).create_submitted(SweepSpec.from_document({"method": "vib"}), "abc123")
    sweep = SubmissionTracker(address).requested("abc123")
    assert sweep is not None
    assert sweep.status == "running"
    assert sweep.submitted is not None
