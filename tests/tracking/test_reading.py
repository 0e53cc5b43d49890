"""Looking at a store: nothing is made, nothing is changed."""

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
    """The configured store's folder, which is not there yet."""
    folder = tmp_path / "a store, 100 % new"
    monkeypatch.setenv("PARETOIB_STORE", str(folder))
    monkeypatch.delenv("PARETOIB_TRACKING_URI", raising=False)
    monkeypatch.delenv("PARETOIB_JOURNAL", raising=False)
    settings.cache_clear()
    yield folder
    settings.cache_clear()


@pytest.mark.parametrize("there", ["nothing", "a folder", "an empty file"])
def test_a_store_that_is_not_there_is_empty(configured: Path, there: str) -> None:
    """Who only looks makes none."""
    if there != "nothing":
        configured.mkdir()
    if there == "an empty file":
        (configured / "mlflow.db").touch()
    before = list(configured.parent.rglob("*"))
    look = reader()
    assert look.sweeps() == []
    with pytest.raises(NotFoundError, match="paretoib list"):
        look.find("anything")
    assert list(configured.parent.rglob("*")) == before
    if there == "an empty file":
        assert (configured / "mlflow.db").stat().st_size == 0


def test_a_store_that_cannot_be_read_says_so(configured: Path) -> None:
    """It is not taken for an empty one."""
    configured.mkdir()
    (configured / "mlflow.db").write_bytes(b"not a database " * 100)
    with pytest.raises(StoreError, match="not a database"):
        reader()


def test_a_reader_sees_what_is_being_written(
    configured: Path, spec: SweepSpec, record: Callable[..., TrialRecord]
) -> None:
    """All that a store has, while a writer has it open."""
    writing = tracker()
    sweep = writing.create(spec)
    writing.add(sweep.id, [EndedTrial(record(0), 1.0)])
    writing.flush(sweep.id)
    look = reader()
    assert look.find(sweep.id[:8]).info == sweep.info
    assert look.find(sweep.id).trials.finished == 1
    assert look.history(sweep.id, record(0).trial) == record(0).history
    assert [r.trial for r in look.records(sweep.id)] == [record(0).trial]
    assert look.trial_url(sweep.id, record(0).trial) not in (None, sweep.mlflow_url)
    assert (configured / "journal").is_dir()
    writing.close(sweep.id, "finished", None, [])


def test_a_reader_sees_what_waits_to_be_written(
    configured: Path,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Trials that are in the journal alone, with their histories, and each once."""
    sweep = tracker().create(spec)
    journal = JournalFile(configured / "journal" / f"{sweep.id}.jsonl")
    journal.append([EndedTrial(record(0), 1.0)])
    journal.close()
    look = reader()
    assert [r.trial for r in look.records(sweep.id)] == [record(0).trial]
    assert look.history(sweep.id, record(0).trial) == record(0).history
    # The writer is gone, and the trial that waits counts.
    monkeypatch.setattr(_heartbeat, "STALE_SECONDS", -1)
    state = look.state(sweep.id)
    assert (state.status, state.trials.finished, state.hypervolume) == ("interrupted", 1, 1.0)
    assert look.sweeps() == [state]


def read_only(folder: Path) -> None:
    """Make a folder one that this process may only read; root needs a mount of its own."""
    if os.geteuid():
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555)
        return
    new_namespace, recursive_private, bind, again = 0x20000, 0x44000, 0x1000, 0x1021
    libc, place = ctypes.CDLL(None), os.fsencode(folder)
    assert libc.unshare(new_namespace) == 0
    assert libc.mount(b"none", b"/", None, recursive_private, None) == 0
    assert libc.mount(place, place, None, bind, None) == 0
    assert libc.mount(place, place, None, again, None) == 0


def in_child(function: Callable[..., Any], *arguments: Any) -> Any:
    """A function's result, from a process of its own; None where it raises."""
    heard, told = FORK.Pipe(duplex=False)
    process = FORK.Process(target=lambda: told.send(function(*arguments)))
    process.start()
    told.close()
    with suppress(EOFError):
        return heard.recv()
    return None


def may_make_read_only(folder: Path) -> bool:
    read_only(folder)
    with suppress(OSError):
        (folder / "new").touch()
        return False
    return True


def test_a_folder_that_may_only_be_read_can_be(
    store: Path, spec: SweepSpec, record: Callable[..., TrialRecord], tmp_path: Path
) -> None:
    """SQLite would make files of its own there; while it is written, and when nobody writes."""
    (probe := tmp_path / "probe").mkdir()
    if not in_child(may_make_read_only, probe):
        pytest.skip("no right to make a folder read-only here")
    uri = f"sqlite:///{store}/mlflow.db"

    def write(written: Any, end: Any) -> None:
        tracker = MLflowTracker(uri)
        sweep = tracker.create(spec)
        tracker.add(sweep.id, [EndedTrial(record(0), 1.0)])
        written.set()
        end.wait(60)

    def look() -> list[tuple[str, ...]]:
        read_only(store)
        found = MLflowReader(uri)
        return [tuple(r.trial for r in found.records(sweep.id)) for sweep in found.sweeps()]

    written, end = FORK.Event(), FORK.Event()
    writer = FORK.Process(target=write, args=(written, end))
    writer.start()
    assert written.wait(60)
    assert (store / "mlflow.db-wal").exists()
    assert in_child(look) == [(record(0).trial,)]
    end.set()
    writer.join()
    # As SQLite does when the last process closes a database; this one may hold it open, unused.
    gc.collect()
    with closing(sqlite3.connect(store / "mlflow.db")) as database:
        database.execute("SELECT * FROM runs").fetchall()
    assert not (store / "mlflow.db-wal").exists()
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    assert in_child(look) == [(record(0).trial,)]
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before


@pytest.mark.usefixtures("configured")
def test_a_journal_lies_with_its_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside SQLite; for a server where a user's state is kept, one folder a server."""
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
