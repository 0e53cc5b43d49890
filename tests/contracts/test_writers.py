"""What every tracker guarantees of who writes a sweep, tried on all of them."""

import os
import time
from collections.abc import Callable

import pytest

from paretoib.errors import NotFoundError, TakenOverError
from paretoib.fronts import build_front
from paretoib.records import TrialRecord
from paretoib.tracking import HEARTBEAT_SECONDS, JournalTracker, Tracker

from .tracker_records import RULER, ended, record, spec

Open = Callable[[], Tracker]


def test_a_sweeps_writer_hears_that_it_is_to_end(reopen: Open) -> None:
    """From the moment someone asks, until the sweep is begun anew."""
    tracker = reopen()
    sweep = tracker.create(spec())
    tracker.begin(sweep.id, RULER)
    assert not tracker.heartbeat(sweep.id)
    tracker.cancel(sweep.id)
    assert tracker.heartbeat(sweep.id)
    tracker.close(sweep.id, "interrupted", None, [])
    again = reopen()
    again.begin(sweep.id, RULER)
    assert not again.heartbeat(sweep.id)


def test_a_store_that_answers_gets_all_from_a_writer_in_a_hurry(reopen: Open) -> None:
    """Its trials and its end, as ever."""
    tracker = reopen()
    sweep = tracker.create(spec())
    tracker.begin(sweep.id, RULER)
    tracker.stop_waiting(sweep.id)
    tracker.add(sweep.id, ended(record(0.1)))
    tracker.flush(sweep.id)
    tracker.close(sweep.id, "finished", None, [])
    again = reopen()
    assert len(again.records(sweep.id)) == 1
    assert again.find(sweep.id).status == "finished"


def is_stale(tracker: Tracker, sweep_id: str) -> bool:
    """Whether the sweep counts as interrupted, by the same record in every method."""
    state = tracker.state(sweep_id)
    assert tracker.find(sweep_id) == state
    assert state in tracker.sweeps()
    assert state.stale == (state.status == "interrupted")
    assert state.reason == ("no heartbeat for 20 s or more" if state.stale else None)
    return state.stale


def test_a_writer_without_heartbeats_is_gone(reopen: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few missing heartbeats, the first among them, until the next heartbeat."""
    clock, tracker = time.time(), reopen()
    sweep = tracker.create(spec())
    monkeypatch.setattr(time, "time", lambda: clock)
    clock += 2 * HEARTBEAT_SECONDS
    assert tracker.state(sweep.id).status == "running"
    clock += 3 * HEARTBEAT_SECONDS
    assert is_stale(tracker, sweep.id)
    tracker.begin(sweep.id, RULER)
    clock += 2 * HEARTBEAT_SECONDS
    assert tracker.state(sweep.id).status == "running"
    clock += 3 * HEARTBEAT_SECONDS
    # The lock of a journal shows, on this machine, that a writer without heartbeats lives.
    assert is_stale(tracker, sweep.id) != isinstance(tracker, JournalTracker)
    again = reopen()
    assert is_stale(again, sweep.id)
    again.heartbeat(sweep.id)
    assert again.state(sweep.id).status == "running"
    with pytest.raises(NotFoundError):
        tracker.state("0" * 32)


def test_a_writer_that_was_taken_over_writes_no_more(
    on: Callable[[str], Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither trials nor a front nor an end; it is told who has the sweep, also when that ends."""
    clock = time.time()
    monkeypatch.setattr(time, "time", lambda: clock)
    sweep = on("one").create(spec())

    def add(host: str, *records: TrialRecord) -> None:
        on(host).add(sweep.id, ended(*records))
        on(host).flush(sweep.id)

    on("one").begin(sweep.id, RULER)
    add("one", record(0.1))
    clock += 10 * HEARTBEAT_SECONDS  # as on a machine that was suspended
    on("other").begin(sweep.id, RULER)
    add("other", record(0.2))
    front = build_front(sweep, [], reference=RULER.reference, label_entropy_bits=3.32)
    told = rf"{sweep.id[:8]} is written by process {os.getpid()} on other"

    def refused() -> None:
        one = on("one")
        for write in (
            lambda: add("one", record(0.3)),
            lambda: (one.update(sweep.id, front), one.flush(sweep.id)),
            lambda: one.heartbeat(sweep.id),
            lambda: one.close(sweep.id, "failed", front, []),
        ):
            with pytest.raises(TakenOverError, match=told) as caught:
                write()
            assert "\n" not in str(caught.value)

    refused()
    assert on("other").find(sweep.id).status == "running"
    on("other").heartbeat(sweep.id)
    on("other").close(sweep.id, "finished", None, [])
    refused()
    assert on("third").find(sweep.id).status == "finished"
    betas = [r.spec["weighting"]["beta"] for r in on("third").records(sweep.id)]
    assert betas == [0.1, 0.2]
    on("one").begin(sweep.id, RULER)
    add("one", record(0.3))
    assert len(on("third").records(sweep.id)) == 3
