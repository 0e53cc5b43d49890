"""Readers see the trials in the store and in the journals; reading changes no file."""

import ctypes
import gc
import multiprocessing
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from paretoib.errors import NotFoundError, StoreError
from paretoib.records import TrialRecord
from paretoib.settings import settings
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, _heartbeat, reader, tracker
from paretoib.tracking._journal.file import JournalFile
from paretoib.tracking._mlflow.location import journal_folder
from paretoib.tracking._mlflow.reader import MLflowReader
from paretoib.tracking._mlflow.tracker import MLflowTracker

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the configured store, which does not exist yet."""
    folder = tmp_path / "a store, 100 % new"
    monkeypatch.setenv("PARETOIB_STORE", str(folder))
    monkeypatch.delenv("PARETOIB_TRACKING_URI", raising=False)
    monkeypatch.delenv("PARETOIB_JOURNAL", raising=False)
    settings.cache_clear()
    yield folder
    settings.cache_clear()


@pytest.mark.parametrize("existing", ["nothing", "a folder", "an empty file"])
def test_a_store_that_does_not_exist_is_empty(configured: Path, existing: str) -> None:
    """A reader of a store that does not exist finds no sweeps and creates no files."""
    if existing != "nothing":
        configured.mkdir()
    if existing == "an empty file":
        (configured / "mlflow.db").touch()
    before = list(configured.parent.rglob("*"))
    store = reader()
    assert store.sweeps() == []
    with pytest.raises(NotFoundError, match="paretoib list"):
        store.find("anything")
    assert list(configured.parent.rglob("*")) == before
    if existing == "an empty file":
        assert (configured / "mlflow.db").stat().st_size == 0


def test_a_store_that_cannot_be_read_is_an_error(configured: Path) -> None:
    """A damaged store is an error and not an empty store."""
    configured.mkdir()
    (configured / "mlflow.db").write_bytes(b"not a database " * 100)
    with pytest.raises(StoreError, match="not a database"):
        reader()


def test_a_reader_sees_a_sweep_that_is_being_written(
    configured: Path, spec: SweepSpec, record: Callable[..., TrialRecord]
) -> None:
    """The reader finds the sweep and its trials while a writer has the store open."""
    writing = tracker()
    sweep = writing.create(spec)
    writing.add(sweep.id, [EndedTrial(record(0), 1.0)])
    writing.flush(sweep.id)
    store = reader()
    assert store.find(sweep.id[:8]).info == sweep.info
    assert store.find(sweep.id).trials.finished == 1
    assert store.history(sweep.id, record(0).trial) == record(0).history
    assert [r.trial for r in store.records(sweep.id)] == [record(0).trial]
    assert store.trial_url(sweep.id, record(0).trial) not in (None, sweep.mlflow_url)
    assert (configured / "journal").is_dir()
    writing.close(sweep.id, "finished", None, [])


def test_a_reader_sees_the_trials_of_the_journal(
    configured: Path,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A trial that only the journal holds is read once, with its history."""
    sweep = tracker().create(spec)
    journal = JournalFile(configured / "journal" / f"{sweep.id}.jsonl")
    journal.append([EndedTrial(record(0), 1.0)])
    journal.close()
    store = reader()
    assert [r.trial for r in store.records(sweep.id)] == [record(0).trial]
    assert store.history(sweep.id, record(0).trial) == record(0).history
    # The sweep now counts as interrupted, so its state counts the trial in the journal.
    monkeypatch.setattr(_heartbeat, "STALE_SECONDS", -1)
    state = store.state(sweep.id)
    assert (state.status, state.trials.finished, state.hypervolume) == ("interrupted", 1, 1.0)
    assert store.sweeps() == [state]


def read_only(folder: Path) -> None:
    """Make a folder read-only for this process; for root, by a mount in a new namespace."""
    if os.geteuid():
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555)
        return
    new_namespace, recursive_private, bind, read_only_bind = 0x20000, 0x44000, 0x1000, 0x1021
    libc, path = ctypes.CDLL(None), os.fsencode(folder)
    assert libc.unshare(new_namespace) == 0
    assert libc.mount(b"none", b"/", None, recursive_private, None) == 0
    assert libc.mount(path, path, None, bind, None) == 0
    assert libc.mount(path, path, None, read_only_bind, None) == 0


def in_child(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a new process, and return its result, or None if it raises."""
    output, pipe = FORK.Pipe(duplex=False)
    process = FORK.Process(target=lambda: pipe.send(function(*arguments)))
    process.start()
    pipe.close()
    with suppress(EOFError):
        return output.recv()
    return None


def can_make_read_only(folder: Path) -> bool:
    """Whether `read_only` works on this machine."""
    read_only(folder)
    with suppress(OSError):
        (folder / "new").touch()
        return False
    return True


def test_a_store_in_a_read_only_folder_can_be_read(
    store: Path, spec: SweepSpec, record: Callable[..., TrialRecord], tmp_path: Path
) -> None:
    """A read-only store is read while a writer runs, and again after the writer has ended.

    SQLite cannot create its own files in the folder.
    """
    (probe := tmp_path / "probe").mkdir()
    if not in_child(can_make_read_only, probe):
        pytest.skip("a folder cannot be made read-only here")
    uri = f"sqlite:///{store}/mlflow.db"

    def write(written: Any, end: Any) -> None:
        tracker = MLflowTracker(uri)
        sweep = tracker.create(spec)
        tracker.add(sweep.id, [EndedTrial(record(0), 1.0)])
        written.set()
        end.wait(60)

    def read_trials() -> list[tuple[str, ...]]:
        read_only(store)
        found = MLflowReader(uri)
        return [tuple(r.trial for r in found.records(sweep.id)) for sweep in found.sweeps()]

    written, end = FORK.Event(), FORK.Event()
    writer = FORK.Process(target=write, args=(written, end))
    writer.start()
    assert written.wait(60)
    assert (store / "mlflow.db-wal").exists()
    assert in_child(read_trials) == [(record(0).trial,)]
    end.set()
    writer.join()
    # SQLite removes the -wal file when the last connection closes; this process may hold one.
    gc.collect()
    with closing(sqlite3.connect(store / "mlflow.db")) as database:
        database.execute("SELECT * FROM runs").fetchall()
    assert not (store / "mlflow.db-wal").exists()
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    assert in_child(read_trials) == [(record(0).trial,)]
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before


@pytest.mark.usefixtures("configured")
def test_each_store_has_a_folder_for_journals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Journals are beside the file of an SQLite store.

    For a server, they are in the folder for the user's state. PARETOIB_JOURNAL overrides this.
    """
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert journal_folder(f"sqlite:///{tmp_path}/x/mlflow.db") == tmp_path / "x" / "journal"
    one, other, with_password = (
        journal_folder(uri)
        for uri in ("http://one:5000", "http://other:5000", "http://me:secret@one:5000")
    )
    assert one.parent == tmp_path / "state" / "paretoib" / "journal"
    assert one == with_password != other
    monkeypatch.setenv("PARETOIB_JOURNAL", str(tmp_path / "j"))
    settings.cache_clear()
    assert journal_folder("http://one:5000") == tmp_path / "j"
