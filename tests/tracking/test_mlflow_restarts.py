"""MLflow's server is killed while a sweep is written, and started again on its database."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow.tracking.client import MlflowClient

from paretoib.errors import StoreError
from paretoib.records import ReferencePoint, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, JournalTracker, Ruler
from paretoib.tracking._mlflow.tracker import MLflowTracker

pytestmark = pytest.mark.slow

RULER = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32)


class Server:
    """MLflow's server over the store in a folder; it has the same port after each start."""

    def __init__(self, store: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        files = ["--backend-store-uri", f"sqlite:///{store}/mlflow.db"]
        files += ["--artifacts-destination", str(store / "artifacts")]
        at = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        self._command = [sys.executable, "-m", "mlflow", "server", *files, *at]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            with suppress(OSError):
                urllib.request.urlopen(f"{self.address}/health").close()
                return
            time.sleep(0.1)
        raise AssertionError(f"no server at {self.address}")

    def kill(self) -> None:
        """Kill the server and its workers."""
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(store: Path) -> Iterator[Server]:
    server = Server(store)
    server.start()
    yield server
    server.kill()


def check_complete(store: Path, sweep_id: str, packs: list[list[EndedTrial]]) -> None:
    """Check that the store has every trial once, complete and in order.

    The hypervolume has one step for each trial.
    """
    client = MlflowClient(f"sqlite:///{store}/mlflow.db")
    tracker = MLflowTracker(f"sqlite:///{store}/mlflow.db")
    ended = [trial for pack in packs for trial in pack]
    assert tracker.records(sweep_id) == [
        trial.record.model_copy(update={"history": {}}) for trial in ended
    ]
    experiment = client.get_run(sweep_id).info.experiment_id
    runs = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{sweep_id}'")
    assert Counter(run.info.status for run in runs) == {"FINISHED": len(ended)}
    points = client.get_metric_history(sweep_id, "hypervolume")
    assert [(point.step, point.value) for point in sorted(points, key=lambda p: p.step)] == [
        (i + 1, trial.hypervolume) for i, trial in enumerate(ended)
    ]


def test_a_sweep_continues_while_the_server_is_unavailable(
    server: Server,
    store: Path,
    tmp_path: Path,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
) -> None:
    """If the server is killed while it writes a pack, `add` does not wait, and no trial is lost."""
    packs = [[EndedTrial(record(8 * i + j), i + j / 8) for j in range(8)] for i in range(6)]
    moments = random.Random(0)
    tracker = JournalTracker(MLflowTracker(server.address), tmp_path / "journal", patience=120)
    sweep = tracker.create(spec)
    tracker.begin(sweep.id, RULER)
    for number, pack in enumerate(packs):
        began = time.monotonic()
        tracker.add(sweep.id, pack)
        assert time.monotonic() - began < 3
        if number in (1, 3):
            time.sleep(moments.uniform(0.05, 0.3))
            server.kill()
        if number in (2, 4):
            time.sleep(1)
            assert len(tracker._folder.joinpath(f"{sweep.id}.jsonl").read_bytes()) > 0
            server.start()
    tracker.close(sweep.id, "finished", None, [])
    check_complete(store, sweep.id, packs)
    assert MLflowTracker(server.address).find(sweep.id).status == "finished"
    assert list((tmp_path / "journal").iterdir()) == []


def test_the_next_job_writes_the_trials_that_a_job_could_not_write(
    server: Server,
    store: Path,
    tmp_path: Path,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
) -> None:
    """The next job first writes the trials that the first job could not write, and none twice."""
    packs = [[EndedTrial(record(4 * i + j), i + j / 4) for j in range(4)] for i in range(3)]
    tracker = JournalTracker(MLflowTracker(server.address), tmp_path / "journal", patience=60)
    sweep = tracker.create(spec)
    tracker.begin(sweep.id, RULER)
    tracker.add(sweep.id, packs[0])
    tracker.flush(sweep.id)
    server.kill()
    tracker.patience = 1
    tracker.add(sweep.id, packs[1])
    with pytest.raises(StoreError, match="4 ended trials wait in"):
        tracker.close(sweep.id, "finished", None, [])
    server.start()
    next_job = JournalTracker(MLflowTracker(server.address), tmp_path / "journal", patience=120)
    next_job.begin(sweep.id, RULER)
    assert len(next_job.records(sweep.id)) == 8
    next_job.add(sweep.id, packs[2])
    next_job.close(sweep.id, "finished", None, [])
    check_complete(store, sweep.id, packs)
