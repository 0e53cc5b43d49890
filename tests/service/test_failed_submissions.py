"""Submissions that fail between two requests to MLflow, or before Ray has answered."""

from collections.abc import Callable
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


def test_without_ray_an_extension_changes_nothing(
    fresh_store: Path, serve: Callable[..., Any], make_sweep: Callable[..., Any]
) -> None:
    """The request gets 503 and can be repeated: the sweep is not extended twice later."""
    sweep = make_sweep(fresh_store, 4, name="finished")
    with serve(fresh_store) as served, served.client() as client:
        before = client.get(f"/sweeps/{sweep.id}").json()
        refused = client.post(f"/sweeps/{sweep.id}/extend", json={"seeds": "+1"})
        assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (503, True)
        assert client.get(f"/sweeps/{sweep.id}").json() == before
        for body in (b'{"seeds": "+1", "seeds": "+2"}', b"[]", b"null", b'{"epochs": 9}'):
            answer = client.post(
                f"/sweeps/{sweep.id}/extend",
                content=body,
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code == 422, body
        assert "epochs: should stay as it is" in answer.json()["detail"]
