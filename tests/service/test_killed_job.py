"""Every reader shows the same state of a sweep whose job was killed."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import paretoib
from paretoib.settings import settings

# A job that has added the first of three trials, and then trains for ever. Nothing is trained here,
# so that no Ray is needed.
JOB = """
import time
from jobs.sweep_run import SweepRun
from paretoib.search import driver
from paretoib.specs import SweepSpec
from paretoib.tracking import tracker
from tests.service.synthetic_sweeps import RULER, synthetic_records

spec = SweepSpec.from_document({
    "method": "vib", "name": "killed", "grid": {"beta": [0.001, 0.002, 0.003]}
})
store = tracker()
run = SweepRun(spec, store.create(spec), store, RULER, driver(spec), lambda _: None)
run.begin()
run.add(synthetic_records(spec, 1))
print("began", flush=True)
time.sleep(1000)
"""
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
    run: Callable[..., Any],
    python: Any,
) -> None:
    """Python, CLI, service and pages show the same status, reason and number of finished trials."""
    job = subprocess.Popen([sys.executable, "-c", JOB], stdout=subprocess.PIPE)
    try:
        assert job.stdout is not None
        assert job.stdout.readline() == b"began\n"
        (state,) = python.list()
        assert (state.status, state.reason) == ("running", None)
    finally:
        job.send_signal(signal.SIGKILL)
        job.communicate()
    # As if a minute had passed.
    with closing(sqlite3.connect(fresh_store / "mlflow.db")) as database, database:
        database.execute("UPDATE runs SET start_time = start_time - 60000")
        database.execute(
            "UPDATE tags SET value = json_set(value, '$.alive', value ->> '$.alive' - 60) "
            "WHERE key = 'mlflow.paretoib.writer'"
        )

    path = f"/sweeps/{state.id}"
    with serve(fresh_store) as served, served.client() as client:
        html = {"Accept": "text/html"}
        documents = {
            "paretoib.list()": python.list()[0].document,
            "paretoib.front()": python.front("killed").sweep.document,
            "list": run(fresh_store, "list", "--json").document["sweeps"][0],
            "show": run(fresh_store, "show", "killed", "--json").document["sweep"],
            "front": run(fresh_store, "front", "killed", "--json").document["sweep"],
            "GET /sweeps": client.get("/sweeps").json()["sweeps"][0],
            "GET /sweeps/{id}": client.get(path).json(),
            "GET /sweeps/{id}/front": client.get(f"{path}/front").json()["sweep"],
        }
        for reader, document in documents.items():
            assert (reader, document["status"]) == (reader, "interrupted")
            assert (reader, document["reason"]) == (reader, REASON)
        states = [document for document in documents.values() if "trials" in document]
        assert [document["trials"]["finished"] for document in states] == [1] * 5
        shown = run(fresh_store, "show", "killed").out
        assert f"killed ({state.id}): interrupted ({REASON})" in shown
        assert " interrupted " in run(fresh_store, "list").out
        page = client.get(path, headers=html).text
        assert "interrupted" in page
        assert REASON in page
        assert "interrupted" in client.get("/", headers=html).text
        events = client.get(f"{path}/events").text
        assert f'{{"status": "interrupted", "reason": "{REASON}"}}' in events
