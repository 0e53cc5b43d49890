"""A journal over a store that comes and goes, and refuses."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from paretoib.errors import StoreError, TakenOverError
from paretoib.fronts import build_front
from paretoib.records import Reference, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import (
    EndedTrial,
    JournalTracker,
    MemoryTracker,
    Ruler,
    StoreAwayError,
)

from .flaky_store import FlakyStore

RULER = Ruler(Reference(rate_bits=33.2, lost_bits=3.32), 3.32)


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
    """Five packs of three trials, with hypervolumes as they are computed."""
    return [
        [EndedTrial(record(3 * i + j), np.float64(i + j / 3)) for j in range(3)] for i in range(5)
    ]


def keys(packs: Sequence[Sequence[EndedTrial]]) -> list[str]:
    return [one.record.trial for pack in packs for one in pack]


def trials(tracker: MemoryTracker | JournalTracker, sweep_id: str) -> list[str]:
    return [record.trial for record in tracker.records(sweep_id)]


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_nothing_waits_for_a_store_that_is_away(
    journal: JournalTracker, store: FlakyStore, sweep_id: str, packs: list[list[EndedTrial]]
) -> None:
    """`add` and `update` return, every trial is among the records, and all is written later."""
    store.failure = StoreAwayError("connection refused")
    begun = time.monotonic()
    for pack in packs:
        journal.add(sweep_id, pack)
    assert time.monotonic() - begun < 2
    assert trials(journal, sweep_id) == keys(packs)
    assert journal.history(sweep_id, keys(packs)[-1]) == packs[-1][-1].record.history
    until(lambda: store.tries > 3)
    assert not store.calls
    store.failure = None
    journal.flush(sweep_id)
    assert trials(store, sweep_id) == trials(journal, sweep_id) == keys(packs)
    assert list(store._sweeps[sweep_id].trials.values()) == [one for pack in packs for one in pack]


def test_what_is_written_piles_up_nowhere(
    journal: JournalTracker,
    store: FlakyStore,
    sweep_id: str,
    folder: Path,
    packs: list[list[EndedTrial]],
) -> None:
    """The file is empty once the store has all of it, and the next pack goes the same way."""
    for count, pack in enumerate(packs, 1):
        journal.add(sweep_id, pack)
        journal.flush(sweep_id)
        assert trials(store, sweep_id) == keys(packs[:count])
        assert (folder / f"{sweep_id}.jsonl").stat().st_size == 0


def test_what_waits_is_written_in_its_order_before_the_end(
    journal: JournalTracker, store: FlakyStore, sweep_id: str, packs: list[list[EndedTrial]]
) -> None:
    """Trials, then the latest front alone, and the status last of all."""
    store.failure = StoreAwayError("connection refused")
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


def test_an_ended_sweep_leaves_nothing_behind(
    journal: JournalTracker, sweep_id: str, folder: Path, packs: list[list[EndedTrial]]
) -> None:
    """No file, no thread; and the sweep can be taken up again."""
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
def test_a_refusal_is_told_and_costs_no_trial(
    journal: JournalTracker,
    store: FlakyStore,
    sweep_id: str,
    folder: Path,
    packs: list[list[EndedTrial]],
    failure: Exception,
) -> None:
    """By the next call whatever it is, with where the trials lie; another process writes them."""
    store.failure = failure
    journal.add(sweep_id, packs[0])
    until(lambda: store.tries == 1)
    until(lambda: "paretoib-journal" not in {thread.name for thread in threading.enumerate()})
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
    assert store.tries == 2, "what is refused for good is not tried again, but for the status"

    store.failure = None
    again = JournalTracker(store, folder)
    again.begin(sweep_id, RULER)
    again.add(sweep_id, packs[2])
    assert trials(again, sweep_id) == keys(packs[:3])
    again.close(sweep_id, "finished", None, [])
    assert trials(store, sweep_id) == keys(packs[:3])
    assert list(folder.iterdir()) == []


def test_a_sweep_that_is_another_process_s_keeps_its_journal(
    journal: JournalTracker,
    store: FlakyStore,
    sweep_id: str,
    folder: Path,
    packs: list[list[EndedTrial]],
) -> None:
    """What was not written stays on the disk and is said to; nobody is told to resume it now."""
    store.failure = TakenOverError("written by process 7 on other")
    journal.add(sweep_id, packs[0])
    with pytest.raises(TakenOverError, match="on other; 3 ended trials wait in") as caught:
        journal.close(sweep_id, "finished", None, [])
    assert "resume" not in str(caught.value)
    assert store.find(sweep_id).status == "running"
    assert trials(JournalTracker(store, folder), sweep_id) == keys(packs[:1])


def test_patience_has_an_end(
    store: FlakyStore, sweep_id: str, folder: Path, packs: list[list[EndedTrial]]
) -> None:
    """A store that stays away keeps the sweep from being called finished; a resume finds all."""
    journal = JournalTracker(store, folder, patience=0.3)
    journal.begin(sweep_id, RULER)
    store.failure = StoreAwayError("no route to host")
    journal.add(sweep_id, packs[0][:1])
    with pytest.raises(StoreError, match="no route to host; 1 ended trial waits in"):
        journal.flush(sweep_id)
    with pytest.raises(StoreError, match="no route to host; 1 ended trial waits in"):
        journal.close(sweep_id, "finished", None, [])
    assert "paretoib-journal" not in {thread.name for thread in threading.enumerate()}
    assert store.find(sweep_id).status == "running"
    store.failure = None
    again = JournalTracker(store, folder)
    again.begin(sweep_id, RULER)
    again.flush(sweep_id)
    assert trials(store, sweep_id) == keys([packs[0][:1]])
    again.release(sweep_id)


def test_a_sweep_that_could_not_be_written_whole_is_called_interrupted(
    journal: JournalTracker, store: FlakyStore, sweep_id: str, packs: list[list[EndedTrial]]
) -> None:
    """Where its status can be set at all: so whoever looks knows that it is to be resumed."""
    store.failure = StoreError("a tag is too long")
    journal.add(sweep_id, packs[0])
    until(lambda: store.tries == 1)
    store.failure = None
    with pytest.raises(StoreError, match="a tag is too long"):
        journal.close(sweep_id, "finished", None, [])
    assert store.find(sweep_id).status == "interrupted"


def test_patience_lasts_as_long_as_the_store_takes_trials(
    store: FlakyStore, sweep_id: str, folder: Path, packs: list[list[EndedTrial]]
) -> None:
    """A store that is slow is not away."""
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


def test_a_sweep_that_cannot_be_begun_is_left_to_others(
    store: FlakyStore, sweep_id: str, folder: Path, journal: JournalTracker
) -> None:
    """A refused ruler locks nobody out."""
    journal.release(sweep_id)
    with pytest.raises(StoreError, match="ruler"):
        journal.begin(sweep_id, Ruler(RULER.reference, 1.0))
    JournalTracker(store, folder).begin(sweep_id, RULER)


def test_a_journal_that_cannot_be_written_says_so_at_once(
    store: FlakyStore, sweep_id: str, packs: list[list[EndedTrial]]
) -> None:
    """A folder that cannot be made; /proc takes no new one from anybody, root included."""
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
    """A second one is refused with who the first is, and others may still look on."""
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
