"""Every reader shows the same state of a sweep whose job was killed."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import paretoib
from paretoib.settings import settings

SWEEP = (
    *("sweep", "--method", "vib", "--name", "killed"),
    *("--set", "hidden=[8]", "--set", "latent=2", "--set", "beta=0.01"),
    # The first trial ends at once; the others run longer than the test.
    *("--grid", "epochs=1,99999,100000"),
)
REASON = "no heartbeat for 20 s or more"


@pytest.fixture
def python(fresh_store: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package `paretoib`, configured for the store of the test."""
    monkeypatch.setenv("PARETOIB_STORE", str(fresh_store))
    settings.cache_clear()
    yield paretoib
    settings.cache_clear()


def test_a_sweep_whose_job_was_killed_is_interrupted_for_every_reader(
    fresh_store: Path,
    serve: Callable[..., Any],
    new_store: Callable[[Path], Any],
    run: Callable[..., Any],
    wait_for: Callable[..., None],
    python: Any,
) -> None:
    """Python, CLI, service and pages show the same status, reason and number of finished trials."""
    store = new_store(fresh_store)
    with serve(fresh_store) as served, served.client() as client:
        job = store.start(*SWEEP)
        wait_for(lambda: [s for s in python.list() if s.trials.finished])
        (state,) = python.list()
        path = f"/sweeps/{state.id}"
        assert state.status == client.get(path).json()["status"] == "running"
        assert state.reason is None

        os.kill(job.pid, signal.SIGKILL)
        job.communicate(timeout=60)
        wait_for(lambda: python.list()[0].status != "running")

        html = {"Accept": "text/html"}
        documents = {
            "paretoib.list()": python.list()[0].document,
            "paretoib.front()": python.front("killed").sweep.document,
            "list": run(store, "list", "--json").document["sweeps"][0],
            "show": run(store, "show", "killed", "--json").document["sweep"],
            "front": run(store, "front", "killed", "--json").document["sweep"],
            "GET /sweeps": client.get("/sweeps").json()["sweeps"][0],
            "GET /sweeps/{id}": client.get(path).json(),
            "GET /sweeps/{id}/front": client.get(f"{path}/front").json()["sweep"],
        }
        for reader, document in documents.items():
            assert (reader, document["status"]) == (reader, "interrupted")
            assert (reader, document["reason"]) == (reader, REASON)
        states = [document for document in documents.values() if "trials" in document]
        assert [document["trials"]["finished"] for document in states] == [1] * 5
        assert f"killed ({state.id}): interrupted ({REASON})" in run(store, "show", "killed").out
        assert " interrupted " in run(store, "list").out
        page = client.get(path, headers=html).text
        assert "interrupted" in page
        assert REASON in page
        assert "interrupted" in client.get("/", headers=html).text
        events = client.get(f"{path}/events").text
        assert f'{{"status": "interrupted", "reason": "{REASON}"}}' in events
