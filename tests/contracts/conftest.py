"""Stores of every kind, opened as one process after another would."""

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

from paretoib.tracking import JournalTracker, MemoryTracker, Tracker

# Over HTTP all of it takes a minute; `tests/tracking/test_mlflow_server.py` tries the whole path.
STORES = ("memory", "mlflow", pytest.param("server", marks=pytest.mark.slow))
JOURNALS = (
    "journal over memory",
    "journal over mlflow",
    pytest.param("journal over server", marks=pytest.mark.slow),
)

Open = Callable[[], Tracker]


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite store with MLflow's tables and nothing in them."""
    from paretoib.tracking._mlflow.tracker import MLflowTracker

    folder = tmp_path_factory.mktemp("empty")
    MLflowTracker(f"sqlite:///{folder}/mlflow.db")
    return folder


@pytest.fixture(scope="module")
def server(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server that keeps the artefacts too."""
    folder = shutil.copytree(empty_store, tmp_path_factory.mktemp("served") / "store")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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
        while not answers(address):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/health").close()
    except OSError:
        return False
    return True


@pytest.fixture
def opened(
    request: pytest.FixtureRequest, empty_store: Path, tmp_path: Path
) -> Iterator[Callable[[str], Tracker]]:
    """Opens a store by its kind, each time as another process would find it."""
    from paretoib.tracking._mlflow.tracker import MLflowTracker

    held = MemoryTracker()
    folder = tmp_path / "store with a space"
    address = request.getfixturevalue("server") if "server" in request.node.name else ""
    if "mlflow" in request.node.name:
        shutil.copytree(empty_store, folder)

    def open_store(kind: str) -> Tracker:
        if kind == "memory":
            return held
        return MLflowTracker(f"sqlite:///{folder}/mlflow.db" if kind == "mlflow" else address)

    yield open_store
    if address:
        # The server is that of all tests here; each begins without sweeps.
        store = MLflowTracker(address)
        for sweep in store.sweeps():
            store._client.delete_run(sweep.id)


@pytest.fixture(params=[*STORES, *JOURNALS])
def reopen(
    request: pytest.FixtureRequest, opened: Callable[[str], Tracker], tmp_path: Path
) -> Iterator[Open]:
    """Opens the tracker, each time as another process would after the last has ended."""
    kind = request.param.removeprefix("journal over ")
    if kind == request.param:
        yield lambda: opened(kind)
        return
    journals: list[JournalTracker] = []

    def end() -> None:
        for journal in journals:
            for sweep in journal.sweeps():
                journal.release(sweep.id)

    def reopen_journal() -> Tracker:
        end()
        journals.append(JournalTracker(opened(kind), tmp_path / "journal", patience=20))
        return journals[-1]

    yield reopen_journal
    end()


@pytest.fixture
def tracker(reopen: Open) -> Tracker:
    return reopen()


@pytest.fixture(params=[*STORES, *JOURNALS])
def on(
    request: pytest.FixtureRequest,
    opened: Callable[[str], Tracker],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[str], Tracker]]:
    """Goes to the machine of this name; the tracker that is open there."""
    kind = request.param.removeprefix("journal over ")
    machines: dict[str, Tracker] = {}

    def go(host: str) -> Tracker:
        monkeypatch.setattr(socket, "gethostname", lambda: host)
        if host not in machines:
            store = opened(kind)
            journaled = kind != request.param
            machines[host] = JournalTracker(store, tmp_path / host) if journaled else store
        return machines[host]

    yield go
    for tracker in machines.values():
        if isinstance(tracker, JournalTracker):
            for sweep in tracker.sweeps():
                tracker.release(sweep.id)
