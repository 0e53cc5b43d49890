"""`JournalTracker` with a store that is unavailable for a while, or refuses writes."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from paretoib.errors import InvalidDataError, StoreError, TakenOverError
from paretoib.fronts import build_front
from paretoib.records import ReferencePoint, TrialRecord
from paretoib.specs import Additions, SweepSpec, extended
from paretoib.tracking import (
    EndedTrial,
    JournalReader,
    JournalTracker,
    MemoryTracker,
    Ruler,
    StoreUnavailableError,
)

from .flaky_store import FlakyStore

RULER = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32)


@pytest.fixture
def store() -> FlakyStore:
    return FlakyStore()


@pytest.fixture
def sweep_id(store: FlakyStore, spec: SweepSpec) -> str:
    return store.create(spec).id


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def journal(store: FlakyStore, sweep_id: str, folder: Path) -> Iterator[JournalTracker]:
    tracker = JournalTracker(store, folder, patience=20)
    tracker.begin(sweep_id, RULER)
    yield tracker
    tracker.release(sweep_id)


@pytest.fixture
def packs(record: Callable[..., TrialRecord]) -> list[list[EndedTrial]]:
    """Five packs of three trials, with hypervolumes of the type `np.float64`."""
    return [
        [EndedTrial(record(3 * i + j), np.float64(i + j / 3)) for j in range(3)] for i in range(5)
    ]


def keys(packs: Sequence[Sequence[EndedTrial]]) -> list[str]:
    return [trial.record.trial for pack in packs for trial in pack]


def trials(tracker: MemoryTracker | JournalTracker, sweep_id: str) -> list[str]:
    return [record.trial for record in tracker.records(sweep_id)]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_add_does_not_wait_for_an_unavailable_store(
    journal: JournalTracker, store: FlakyStore, sweep_id: str, packs: list[list[EndedTrial]]
) -> None:
    """Added trials are among the records at once, and in the store when it is available again."""
    store.failure = StoreUnavailableError("connection refused")
    began = time.monotonic()
    for pack in packs:
        journal.add(sweep_id, pack)
    assert time.monotonic() - began < 2
    assert trials(journal, sweep_id) == keys(packs)
    assert journal.history(sweep_id, keys(packs)[-1]) == packs[-1][-1].record.history
    wait_until(lambda: store.tries > 3)
    assert not store.calls
    store.failure = None
    journal.flush(sweep_id)
    assert trials(store, sweep_id) == trials(journal, sweep_id) == keys(packs)
    assert list(store._sweeps[sweep_id].trials.values()) == [
        trial for pack in packs for trial in pack
    ]


def test_the_file_is_emptied_after_every_written_pack(
    journal: JournalTracker,
    store: FlakyStore,
    sweep_id: str,
    folder: Path,
    packs: list[list[EndedTrial]],
) -> None:
    """When the store has all trials, the journal's file is empty, so it does not grow for ever."""
    for count, pack in enumerate(packs, 1):
        journal.add(sweep_id, pack)
        journal.flush(sweep_id)
        assert trials(store, sweep_id) == keys(packs[:count])
        assert (folder / f"{sweep_id}.jsonl").stat().st_size == 0


def test_close_writes_trials_then_the_latest_front_then_the_status(
    journal: JournalTracker, store: FlakyStore, sweep_id: str, packs: list[list[EndedTrial]]
) -> None:
    """`close` writes the trials, the latest front and the status.

    Earlier fronts that the store did not get are skipped.
    """
    store.failure = StoreUnavailableError("connection refused")
    front = build_front(
        store.find(sweep_id), [], reference=RULER.reference, label_entropy_bits=3.32
    )
    latest = front.model_copy(update={"hypervolume": 7.0})
    for pack in packs[:2]:
        journal.add(sweep_id, pack)
        journal.update(sweep_id, front)
    journal.update(sweep_id, latest)
    threading.Timer(0.3, lambda: setattr(store, "failure", None)).start()
    journal.close(sweep_id, "finished", None, [])
    assert store.calls == [keys(packs[:2]), latest, "finished"]
    assert store.find(sweep_id).status == "finished"


def test_close_removes_the_files_and_ends_the_thread(
    journal: JournalTracker, sweep_id: str, folder: Path, packs: list[list[EndedTrial]]
) -> None:
    """After `close` the journal has no files and no thread, and the sweep can be begun again."""
    journal.add(sweep_id, packs[0])
    assert {path.suffix for path in folder.iterdir()} == {".jsonl", ".lock"}
    journal.close(sweep_id, "finished", None, [])
    assert list(folder.iterdir()) == []
    assert "paretoib-journal" not in {thread.name for thread in threading.enumerate()}
    journal.begin(sweep_id, RULER)
    journal.add(sweep_id, packs[1])
    journal.flush(sweep_id)
    assert trials(journal, sweep_id) == keys(packs[:2])


@pytest.mark.parametrize("failure", [StoreError("disk full"), ValueError("a fault\nof two lines")])
def test_a_refused_write_is_raised_and_loses_no_trial(
    journal: JournalTracker,
    store: FlakyStore,
    sweep_id: str,
    folder: Path,
    packs: list[list[EndedTrial]],
    failure: Exception,
) -> None:
    """After a refused write, every call raises the store's error with the path of the journal.

    The next writer writes the trials.
    """
    store.failure = failure
    journal.add(sweep_id, packs[0])
    wait_until(lambda: store.tries == 1)
    wait_until(lambda: "paretoib-journal" not in {thread.name for thread in threading.enumerate()})
    front = build_front(
        store.find(sweep_id), [], reference=RULER.reference, label_entropy_bits=3.32
    )
    for call in (
        lambda: journal.add(sweep_id, packs[1]),
        lambda: journal.update(sweep_id, front),
        lambda: journal.flush(sweep_id),
        lambda: journal.close(sweep_id, "finished", None, []),
    ):
        with pytest.raises(StoreError, match="6 ended trials wait in") as caught:
            call()
        message = str(caught.value)
        assert str(failure).partition("\n")[0] in message
        assert str(folder / f"{sweep_id}.jsonl") in message
        assert f"`paretoib resume {sweep_id[:8]}` writes them" in message
        assert "\n" not in message
    assert store.tries == 2, "a refused write is not retried; the second try is the status"

    store.failure = None
    next_writer = JournalTracker(store, folder)
    next_writer.begin(sweep_id, RULER)
    next_writer.add(sweep_id, packs[2])
    assert trials(next_writer, sweep_id) == keys(packs[:3])
    next_writer.close(sweep_id, "finished", None, [])
    assert trials(store, sweep_id) == keys(packs[:3])
    assert list(folder.iterdir()) == []


def test_a_sweep_that_was_taken_over_keeps_its_journal(
    journal: JournalTracker,
    store: FlakyStore,
    sweep_id: str,
    folder: Path,
    packs: list[list[EndedTrial]],
) -> None:
    """After a takeover the trials stay in the journal, and the error does not suggest `resume`."""
    store.failure = TakenOverError("written by process 7 on other")
    journal.add(sweep_id, packs[0])
    with pytest.raises(TakenOverError, match="on other; 3 ended trials wait in") as caught:
        journal.close(sweep_id, "finished", None, [])
    assert "resume" not in str(caught.value)
    assert store.find(sweep_id).status == "running"
    assert trials(JournalTracker(store, folder), sweep_id) == keys(packs[:1])


def test_waiting_for_an_unavailable_store_ends_after_patience(
    store: FlakyStore, sweep_id: str, folder: Path, packs: list[list[EndedTrial]]
) -> None:
    """`flush` and `close` raise an error if the store is unavailable for `patience` seconds.

    The sweep is not marked as finished. The next writer writes the trial.
    """
    journal = JournalTracker(store, folder, patience=0.3)
    journal.begin(sweep_id, RULER)
    store.failure = StoreUnavailableError("no route to host")
    journal.add(sweep_id, packs[0][:1])
    with pytest.raises(StoreError, match="no route to host; 1 ended trial waits in"):
        journal.flush(sweep_id)
    with pytest.raises(StoreError, match="no route to host; 1 ended trial waits in"):
        journal.close(sweep_id, "finished", None, [])
    assert "paretoib-journal" not in {thread.name for thread in threading.enumerate()}
    assert store.find(sweep_id).status == "running"
    store.failure = None
    next_writer = JournalTracker(store, folder)
    next_writer.begin(sweep_id, RULER)
    next_writer.flush(sweep_id)
    assert trials(store, sweep_id) == keys([packs[0][:1]])
    next_writer.release(sweep_id)


def test_a_sweep_with_unwritten_trials_is_marked_as_interrupted(
    journal: JournalTracker, store: FlakyStore, sweep_id: str, packs: list[list[EndedTrial]]
) -> None:
    """If the store refuses trials but accepts the status, readers see that a resume is possible."""
    store.failure = StoreError("a tag is too long")
    journal.add(sweep_id, packs[0])
    wait_until(lambda: store.tries == 1)
    store.failure = None
    with pytest.raises(StoreError, match="a tag is too long"):
        journal.close(sweep_id, "finished", None, [])
    assert store.find(sweep_id).status == "interrupted"


def test_every_write_restarts_the_patience(
    store: FlakyStore, sweep_id: str, folder: Path, packs: list[list[EndedTrial]]
) -> None:
    """A slow store is not an unavailable store: `patience` limits the time between two writes."""
    journal = JournalTracker(store, folder, patience=0.5)
    journal.begin(sweep_id, RULER)
    add = store.add

    def slowly(sweep_id: str, ended: Sequence[EndedTrial]) -> None:
        time.sleep(0.3)
        add(sweep_id, ended)

    store.add = slowly  # type: ignore[method-assign]
    for pack in packs[:3]:
        journal.add(sweep_id, pack)
        time.sleep(0.01)
    journal.close(sweep_id, "finished", None, [])
    assert trials(store, sweep_id) == keys(packs[:3])


def test_a_sweep_that_cannot_be_begun_is_unlocked(
    store: FlakyStore, sweep_id: str, folder: Path, journal: JournalTracker
) -> None:
    """After the store has refused a ruler, another tracker can begin the sweep."""
    journal.release(sweep_id)
    with pytest.raises(StoreError, match="ruler"):
        journal.begin(sweep_id, Ruler(RULER.reference, 1.0))
    JournalTracker(store, folder).begin(sweep_id, RULER)


def test_a_journal_that_cannot_be_written_is_an_error_at_once(
    store: FlakyStore, sweep_id: str, packs: list[list[EndedTrial]]
) -> None:
    """If the journal cannot be written, `add` raises an error of one line."""
    # Nobody, not even root, can create the folder in /proc.
    journal = JournalTracker(store, Path("/proc/paretoib"))
    with pytest.raises(StoreError, match="cannot write the journal /proc/paretoib/") as caught:
        journal.add(sweep_id, packs[0])
    assert "\n" not in str(caught.value)


def test_a_sweep_has_one_writer_at_a_time(
    journal: JournalTracker,
    store: FlakyStore,
    sweep_id: str,
    folder: Path,
    packs: list[list[EndedTrial]],
) -> None:
    """The error of the second writer names the first writer. The second writer can still read."""
    journal.add(sweep_id, packs[0])
    second = JournalTracker(store, folder)
    for call in (
        lambda: second.begin(sweep_id, RULER),
        lambda: second.add(sweep_id, packs[1]),
        lambda: second.close(sweep_id, "finished", None, []),
    ):
        with pytest.raises(StoreError, match=r"one writer at a time; found process \d+ on"):
            call()
    assert trials(second, sweep_id) == keys(packs[:1])
    journal.close(sweep_id, "finished", None, [])
    second.begin(sweep_id, RULER)
    second.release(sweep_id)


def test_a_sweep_is_not_extended_while_its_writer_closes_it(
    journal: JournalTracker,
    store: FlakyStore,
    sweep_id: str,
    folder: Path,
    spec: SweepSpec,
    packs: list[list[EndedTrial]],
) -> None:
    """The store may show the end of the sweep before its writer has released the journal.

    Trials in the journal belong to the extended sweep.
    """
    second = JournalTracker(store, folder)
    store.close(sweep_id, "finished", None, [])
    at = datetime(2026, 1, 1, tzinfo=UTC)
    longer = extended(spec, Additions.from_document({"seeds": "+1"}), ended=0, at=at)
    with pytest.raises(StoreError, match=r"one writer at a time; found process \d+ on"):
        second.extend(sweep_id, longer)
    assert store.state(sweep_id).spec == spec.document
    store.failure = StoreUnavailableError("connection refused")
    journal.add(sweep_id, packs[0])
    journal.release(sweep_id)
    store.failure = None
    assert second.extend(sweep_id, longer).trials.total == 80
    second.begin(sweep_id, RULER)
    second.flush(sweep_id)
    assert trials(store, sweep_id) == keys(packs[:1])
    second.release(sweep_id)


class PickyStore(MemoryTracker):
    """A store in memory that refuses a call of `add` with a trial whose key is in `refused`."""

    refused: frozenset[str] = frozenset()

    def add(self, sweep_id: str, trials: Sequence[EndedTrial]) -> None:
        if any(trial.record.trial in self.refused for trial in trials):
            raise InvalidDataError("value too long")
        super().add(sweep_id, trials)


def test_a_refused_trial_does_not_block_the_trials_behind_it(
    spec: SweepSpec, folder: Path, packs: list[list[EndedTrial]]
) -> None:
    """A trial that the store refuses stays on disk, and the other trials are written.

    The sweep's reason names the file of the refused trial, and readers see this trial.
    """
    store = PickyStore()
    store.refused = frozenset(keys(packs)[1:2])
    sweep_id = store.create(spec).id
    journal = JournalTracker(store, folder, patience=20)
    journal.begin(sweep_id, RULER)
    for pack in packs:
        journal.add(sweep_id, pack)
    journal.close(sweep_id, "finished", None, ())

    written = [record.trial for record in store.records(sweep_id)]
    assert written == [key for key in keys(packs) if key not in store.refused]
    path = folder / f"{sweep_id}.refused.jsonl"
    reason = f"the store refuses 1 trial, kept in {path}: value too long"
    assert (store.state(sweep_id).status, store.state(sweep_id).reason) == ("finished", reason)
    seen = JournalReader(store, folder).records(sweep_id)
    assert sorted(record.trial for record in seen) == sorted(keys(packs))

    # A later writer tries again.
    store.refused = frozenset()
    later = JournalTracker(store, folder, patience=20)
    later.begin(sweep_id, RULER)
    later.close(sweep_id, "finished", None, ())
    assert sorted(r.trial for r in store.records(sweep_id)) == sorted(keys(packs))
    assert store.state(sweep_id).reason is None
    assert list(folder.iterdir()) == []
