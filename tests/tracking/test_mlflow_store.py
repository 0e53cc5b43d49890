"""An MLflow store after kills, with several writers, and at addresses that cannot be used."""

import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from pathlib import Path

import pytest
from mlflow.tracking.client import MlflowClient

from paretoib.backends._local import LocalBackend
from paretoib.errors import StoreError
from paretoib.records import ReferencePoint, TrialRecord
from paretoib.settings import settings
from paretoib.specs import SweepSpec
from paretoib.tracking import HEARTBEAT_SECONDS, EndedTrial, Ruler, _heartbeat
from paretoib.tracking import tracker as configured_tracker
from paretoib.tracking._mlflow.reader import MLflowReader
from paretoib.tracking._mlflow.submissions import SubmissionTracker
from paretoib.tracking._mlflow.tracker import MLflowTracker

RULER = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32)
FORK = multiprocessing.get_context("fork")


def test_a_writer_killed_at_random_moments_leaves_only_complete_trials(
    store: Path, spec: SweepSpec, record: Callable[..., TrialRecord]
) -> None:
    """After a kill, the store has every trial for which `add` had returned.

    Other trials can be added later.
    """
    uri = f"sqlite:///{store}/mlflow.db"
    records = [record(position) for position in range(24)]
    without_history = [r.model_copy(update={"history": {}}) for r in records]
    moments = random.Random(0)

    def write(sweep_id: str, pipe: int) -> None:
        tracker = MLflowTracker(uri)
        for trial in records:
            tracker.add(sweep_id, [EndedTrial(trial, 1.0)])
            os.write(pipe, b".")

    def check(sweep_id: str) -> int:
        tracker = MLflowTracker(uri)
        found = tracker.records(sweep_id)
        assert found == without_history[: len(found)]
        client = MlflowClient(uri)
        runs = client.search_runs(
            [client.get_run(sweep_id).info.experiment_id],
            f"tags.`mlflow.parentRunId` = '{sweep_id}' AND attributes.status = 'FINISHED'",
        )
        assert len(runs) == len(found)
        for run in runs:
            assert len(run.data.metrics) == 5 + 5 + 12 + 1
            assert run.data.params["seed"] == "2"
            assert [f.path for f in client.list_artifacts(run.info.run_id)] == ["history.json"]
        return len(found)

    def create_sweep() -> str:
        return MLflowTracker(uri).create(spec).id

    # Only child processes open the store: SQLite connections must not be used after a fork.
    sweep_id = in_child(create_sweep)
    for _ in range(5):
        output, pipe = os.pipe()
        writer = FORK.Process(target=write, args=(sweep_id, pipe))
        writer.start()
        os.close(pipe)
        written = os.read(output, 1)
        time.sleep(moments.uniform(0, 0.25))
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        written += read_all(output)
        assert in_child(check, sweep_id) >= len(written)

    def finish() -> int:
        tracker = MLflowTracker(uri)
        for trial in records:
            tracker.add(sweep_id, [EndedTrial(trial, 1.0)])
        client = MlflowClient(uri)
        children = client.search_runs(
            [client.get_run(sweep_id).info.experiment_id],
            f"tags.`mlflow.parentRunId` = '{sweep_id}'",
        )
        assert {run.info.status for run in children} == {"FINISHED"}
        return len(children)

    assert in_child(finish) == 24
    assert in_child(check, sweep_id) == 24


def in_child(function: Callable, *args: object) -> object:
    """Call a function in a new process, and return its result."""
    with FORK.Pool(1, initializer=_set_function, initargs=(function,)) as pool:
        return pool.apply(_call_function, args)


def _set_function(function: Callable) -> None:
    global _function
    _function = function


def _call_function(*args: object) -> object:
    return _function(*args)


def read_all(pipe: int) -> bytes:
    with os.fdopen(pipe, "rb") as stream:
        return stream.read()


def test_two_processes_may_open_a_new_store_at_once(tmp_path: Path, spec: SweepSpec) -> None:
    """Two processes create the tables of a store once, and each process creates a sweep."""
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"

    def open_and_create() -> int:
        MLflowTracker(uri).create(spec)
        return 0

    processes = [FORK.Process(target=open_and_create) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(MLflowTracker(uri).sweeps()) == 2


def test_a_writer_excludes_writers_on_other_machines(
    store: Path, spec: SweepSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second machine can begin a sweep only when the first machine's heartbeat is stale.

    The first machine can begin the sweep again after the second machine has closed it.
    """
    uri = f"sqlite:///{store}/mlflow.db"
    ruler, clock = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32), time.time()
    monkeypatch.setattr(time, "time", lambda: clock)
    monkeypatch.setattr("paretoib.tracking._mlflow.tracker.HEARTBEAT_SECONDS", 0.01)

    def tracker_on(host: str) -> MLflowTracker:
        monkeypatch.setattr(socket, "gethostname", lambda: host)
        monkeypatch.setattr(_heartbeat, "machine_id", lambda: host)
        return MLflowTracker(uri)

    sweep = tracker_on("one").create(spec)
    tracker_on("one").begin(sweep.id, ruler)
    refused = rf"one writer at a time; found process {os.getpid()} on one, last heartbeat 10 s ago"
    for _ in range(3):
        clock += 10
        with pytest.raises(StoreError, match=refused):
            tracker_on("other").begin(sweep.id, ruler)
        tracker_on("one").heartbeat(sweep.id)
    tracker_on("one").begin(sweep.id, ruler)
    clock += 10 * HEARTBEAT_SECONDS
    tracker_on("other").begin(sweep.id, ruler)
    tracker_on("other").close(sweep.id, "interrupted", None, [])
    tracker_on("one").begin(sweep.id, ruler)


def test_containers_with_one_host_name_are_different_machines(
    store: Path, spec: SweepSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer whose process has ended is gone only for processes in the writer's container."""
    uri = f"sqlite:///{store}/mlflow.db"
    sweep = MLflowTracker(uri).create(spec)
    monkeypatch.setattr(_heartbeat, "machine_id", lambda: "boot 1, container 1")
    # The writer gets the id of a process that has ended.
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with monkeypatch.context() as other:
        other.setattr(os, "getpid", lambda: ended.pid)
        MLflowTracker(uri).begin(sweep.id, RULER)
    monkeypatch.setattr(_heartbeat, "machine_id", lambda: "boot 1, container 2")
    with pytest.raises(StoreError, match=f"one writer at a time; found process {ended.pid} on"):
        MLflowTracker(uri).begin(sweep.id, RULER)
    monkeypatch.setattr(_heartbeat, "machine_id", lambda: "boot 1, container 1")
    MLflowTracker(uri).begin(sweep.id, RULER)


@pytest.mark.parametrize("skew", [-45.0, 45.0])
def test_a_writer_whose_clock_differs_is_alive(
    store: Path, spec: SweepSpec, monkeypatch: pytest.MonkeyPatch, skew: float
) -> None:
    """For a reader that has seen the heartbeat change, the sweep is running.

    A second writer waits for such a change, and is then refused.
    """
    uri = f"sqlite:///{store}/mlflow.db"
    sweep = MLflowTracker(uri).create(spec)
    real_time, real_sleep = time.time, time.sleep
    # The sweep was created 100 s ago.
    monkeypatch.setattr(time, "time", lambda: real_time() + 100)

    @contextmanager
    def on_first_machine() -> Iterator[None]:
        with monkeypatch.context() as first:
            first.setattr(_heartbeat, "machine_id", lambda: "first")
            first.setattr(time, "time", lambda: real_time() + 100 + skew)
            yield

    with on_first_machine():
        writer = MLflowTracker(uri)
        writer.begin(sweep.id, RULER)
    reader = MLflowReader(uri)
    assert reader.state(sweep.id).status == "interrupted"  # one heartbeat shows no change

    def next_heartbeat(_: float) -> None:
        real_sleep(1)  # the time in a heartbeat is in whole seconds
        with on_first_machine():
            writer.heartbeat(sweep.id)

    next_heartbeat(0)
    assert reader.state(sweep.id).status == "running"
    assert reader.sweeps()[0].status == "running"
    monkeypatch.setattr(time, "sleep", next_heartbeat)
    with pytest.raises(StoreError, match=r"one writer at a time; found .*, whose clock differs"):
        MLflowTracker(uri).begin(sweep.id, RULER)


def test_a_sweep_that_waits_in_the_queue_of_a_cluster_is_not_stale(
    store: Path, spec: SweepSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submitted or resubmitted sweep needs heartbeats only after it has begun."""
    tracker, clock = SubmissionTracker(f"sqlite:///{store}/mlflow.db"), time.time()
    monkeypatch.setattr(time, "time", lambda: clock)
    monkeypatch.setattr(time, "monotonic", lambda: clock)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.fromtimestamp(clock, tz)

    monkeypatch.setattr(_heartbeat, "datetime", Clock)
    sweep = tracker.create_submitted(spec, None)
    for _ in range(2):
        clock += 86_400
        assert tracker.state(sweep.id).status == "running"
        tracker.begin(sweep.id, Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32))
        clock += 10 * HEARTBEAT_SECONDS
        assert tracker.state(sweep.id).status == "interrupted"
        tracker.mark_submitted(sweep.id)


def test_the_embedded_store_is_in_the_configured_folder(
    store: Path, monkeypatch: pytest.MonkeyPatch, spec: SweepSpec
) -> None:
    """Artifacts are in PARETOIB_STORE; a sweep's page is the command `paretoib ui` and a URL."""
    monkeypatch.setenv("PARETOIB_STORE", str(store))
    settings.cache_clear()
    try:
        tracker = configured_tracker()
        sweep = tracker.create(spec)
        assert list((store / "artifacts").glob(f"*/{sweep.id}/artifacts/spec.json"))
        assert sweep.mlflow_url is not None
        assert sweep.mlflow_url.startswith("http://127.0.0.1:5000/#/experiments/")
        assert f"/runs/{sweep.id}?" in sweep.mlflow_url
        assert LocalBackend().page(sweep) == f"paretoib ui, then {sweep.mlflow_url}"
    finally:
        settings.cache_clear()


def corrupt(folder: Path) -> str:
    (folder / "mlflow.db").write_bytes(b"not a database " * 100)
    return f"sqlite:///{folder}/mlflow.db"


def below_a_file(folder: Path) -> str:
    (folder / "file").touch()
    return f"sqlite:///{folder}/file/mlflow.db"


def read_only(_: Path) -> str:
    # Nobody, not even root, can create files in /proc.
    return "sqlite:////proc/paretoib/mlflow.db"


def another_version(folder: Path) -> str:
    import sqlite3

    with sqlite3.connect(folder / "mlflow.db") as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('from the future')")
    return f"sqlite:///{folder}/mlflow.db"


def no_server(_: Path) -> str:
    return "http://someone:secret@127.0.0.1:9"


def no_host(_: Path) -> str:
    return "http://"


def no_driver(_: Path) -> str:
    return "postgresql+nodriver://someone:secret@127.0.0.1:9/mlflow"


@pytest.mark.parametrize(
    "make_uri",
    [
        corrupt,
        below_a_file,
        read_only,
        another_version,
        no_server,
        no_host,
        no_driver,
    ],
)
def test_a_store_that_cannot_be_used_is_an_error_at_once(
    make_uri: Callable[[Path], str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """If a store cannot be used, the error is one line with its address, without a password.

    Nothing is printed.
    """
    uri = make_uri(tmp_path)
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"store|server") as caught:
        MLflowTracker(uri)
    assert time.monotonic() - began < 5
    message = str(caught.value)
    assert "\n" not in message
    assert uri.partition("://")[2].rpartition("@")[2].lstrip("/") in message
    assert "secret" not in message
    assert capfd.readouterr() == ("", "")


def test_a_store_that_breaks_later_is_an_error(
    store: Path, spec: SweepSpec, capfd: pytest.CaptureFixture[str]
) -> None:
    """A missing table causes a `StoreError` of one line, without MLflow's traceback."""
    import sqlite3

    tracker = MLflowTracker(f"sqlite:///{store}/mlflow.db")
    with sqlite3.connect(store / "mlflow.db") as database:
        database.execute("DROP TABLE metrics")
        database.execute("DROP TABLE runs")
    with pytest.raises(StoreError, match="no such table") as caught:
        tracker.create(spec)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_importing_the_package_does_not_load_mlflow() -> None:
    """Importing `paretoib.tracking` does not load MLflow."""
    program = "import sys, paretoib.tracking; print([m for m in sys.modules if m == 'mlflow'])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_mlflow_settings_of_the_user_are_kept() -> None:
    """The user's timeout is kept; telemetry, for which the user set nothing, is disabled."""
    program = (
        "import os, paretoib.tracking; "
        "print(os.environ['MLFLOW_HTTP_REQUEST_TIMEOUT'], os.environ['MLFLOW_DISABLE_TELEMETRY'])"
    )
    environment = {**os.environ, "MLFLOW_HTTP_REQUEST_TIMEOUT": "7"}
    environment.pop("MLFLOW_DISABLE_TELEMETRY", None)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "7 true\n"
