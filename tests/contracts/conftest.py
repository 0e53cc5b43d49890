"""Fixtures that open stores of every kind. Opening a store again acts like a new process."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paretoib.tracking import JournalTracker, MemoryTracker, Tracker, _heartbeat

# Over HTTP these tests take a minute, so they are marked `slow`. The tests in
# `tests/tracking/test_mlflow_server.py` use HTTP too and are not slow.
STORES = ("memory", "mlflow", pytest.param("server", marks=pytest.mark.slow))
JOURNALS = (
    "journal over memory",
    "journal over mlflow",
    pytest.param("journal over server", marks=pytest.mark.slow),
)

Open = Callable[[], Tracker]


@pytest.fixture(scope="module")
def server(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server that also stores the artifacts."""
    folder = shutil.copytree(empty_store, tmp_path_factory.mktemp("served") / "store")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    options = {
        "--backend-store-uri": f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination": str(folder / "artifacts"),
        "--host": "127.0.0.1",
        "--port": str(port),
        "--workers": "1",
    }
    words = [word for option in options.items() for word in option]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", *words],
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 90
        while not is_healthy(address):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def is_healthy(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/health").close()
    except OSError:
        return False
    return True


@pytest.fixture
def open_store(
    request: pytest.FixtureRequest, empty_store: Path, tmp_path: Path
) -> Iterator[Callable[[str], Tracker]]:
    """`open_store(kind)` opens the test's store of this kind, as a new process would."""
    from paretoib.tracking._mlflow.tracker import MLflowTracker

    memory = MemoryTracker()
    folder = tmp_path / "store with a space"
    address = request.getfixturevalue("server") if "server" in request.node.name else ""
    if "mlflow" in request.node.name:
        shutil.copytree(empty_store, folder)

    def open_kind(kind: str) -> Tracker:
        if kind == "memory":
            return memory
        return MLflowTracker(f"sqlite:///{folder}/mlflow.db" if kind == "mlflow" else address)

    yield open_kind
    if address:
        # The tests of a module share the server; delete the sweeps before the next test.
        store = MLflowTracker(address)
        for sweep in store.sweeps():
            store._client.delete_run(sweep.id)


@pytest.fixture(params=[*STORES, *JOURNALS])
def reopen(
    request: pytest.FixtureRequest, open_store: Callable[[str], Tracker], tmp_path: Path
) -> Iterator[Open]:
    """`reopen()` opens the tracker as a new process would after the previous process ended."""
    kind = request.param.removeprefix("journal over ")
    if kind == request.param:
        yield lambda: open_store(kind)
        return
    journals: list[JournalTracker] = []

    def release_all() -> None:
        for journal in journals:
            for sweep in journal.sweeps():
                journal.release(sweep.id)

    def reopen_journal() -> Tracker:
        release_all()
        journals.append(JournalTracker(open_store(kind), tmp_path / "journal", patience=20))
        return journals[-1]

    yield reopen_journal
    release_all()


@pytest.fixture
def tracker(reopen: Open) -> Tracker:
    return reopen()


@pytest.fixture(params=[*STORES, *JOURNALS])
def on_host(
    request: pytest.FixtureRequest,
    open_store: Callable[[str], Tracker],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[str], Tracker]]:
    """`on_host(name)` sets the host name and returns the tracker that is open on that host."""
    kind = request.param.removeprefix("journal over ")
    trackers: dict[str, Tracker] = {}

    def switch(host: str) -> Tracker:
        monkeypatch.setattr(socket, "gethostname", lambda: host)
        monkeypatch.setattr(_heartbeat, "machine_id", lambda: host)
        monkeypatch.setattr("paretoib.tracking._mlflow.tracker.HEARTBEAT_SECONDS", 0.01)
        if host not in trackers:
            store = open_store(kind)
            journaled = kind != request.param
            trackers[host] = JournalTracker(store, tmp_path / host) if journaled else store
        return trackers[host]

    yield switch
    for tracker in trackers.values():
        if isinstance(tracker, JournalTracker):
            for sweep in tracker.sweeps():
                tracker.release(sweep.id)
