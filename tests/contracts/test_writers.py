"""Contract of every tracker for a sweep's writer: cancel requests, heartbeats, takeovers."""

import os
import time
from collections.abc import Callable

import pytest

from paretoib.errors import NotFoundError, TakenOverError
from paretoib.fronts import build_front
from paretoib.records import PackProgress, RunningPacks, TrialRecord, Workers
from paretoib.tracking import HEARTBEAT_SECONDS, JournalTracker, Tracker

from .tracker_records import RULER, ended, record, spec

Open = Callable[[], Tracker]


def test_a_heartbeat_tells_the_writer_of_a_cancel_request(reopen: Open) -> None:
    """`heartbeat` returns True after `cancel`, until the sweep begins again."""
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


def test_readers_see_the_workers_and_the_packs_in_training(reopen: Open) -> None:
    """A heartbeat replaces the packs in training; an ended or resumed sweep has none.

    The workers are those of the last `begin`.
    """
    tracker = reopen()
    sweep = tracker.create(spec())
    assert (sweep.workers, sweep.packs) == (None, None)
    workers = Workers(count=2, cpus=1, device="cpu")
    packs = RunningPacks.of([PackProgress(trials=3, epoch=1, epochs=50)])
    tracker.begin(sweep.id, RULER, workers)
    tracker.heartbeat(sweep.id, packs)
    running = reopen().state(sweep.id)
    assert (running.workers, running.packs) == (workers, packs)
    assert running.progress == pytest.approx(3 / 50)
    tracker.heartbeat(sweep.id)
    assert reopen().state(sweep.id).packs is None
    tracker.heartbeat(sweep.id, packs)
    tracker.close(sweep.id, "interrupted", None, [])
    ended = reopen().state(sweep.id)
    assert (ended.workers, ended.packs) == (workers, None)
    again = reopen()
    again.begin(sweep.id, RULER, workers.model_copy(update={"count": 8}))
    resumed = reopen().state(sweep.id)
    assert (str(resumed.workers), resumed.packs) == ("8 workers × 1 CPU", None)
    again.close(sweep.id, "interrupted", None, [])


def test_stop_waiting_loses_nothing_if_the_store_answers(reopen: Open) -> None:
    """After `stop_waiting`, trials and the final status are still written if the store answers."""
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
    """Whether the sweep is stale; also check that `find` and `sweeps` return the same state."""
    state = tracker.state(sweep_id)
    assert tracker.find(sweep_id) == state
    assert state in tracker.sweeps()
    assert state.stale == (state.status == "interrupted")
    assert state.reason == ("no heartbeat for 20 s or more" if state.stale else None)
    return state.stale


def test_a_sweep_without_heartbeats_is_stale(reopen: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep is stale after 20 s without a heartbeat, even if it never had one.

    After the next heartbeat it is running again.
    """
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
    # The lock of a journal shows that the writer, on this machine, still runs without heartbeats.
    assert is_stale(tracker, sweep.id) != isinstance(tracker, JournalTracker)
    again = reopen()
    assert is_stale(again, sweep.id)
    again.heartbeat(sweep.id)
    assert again.state(sweep.id).status == "running"
    with pytest.raises(NotFoundError):
        tracker.state("0" * 32)


def test_a_writer_cannot_write_after_a_takeover(
    on_host: Callable[[str], Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a takeover, a write of the old writer raises an error that names the new writer.

    This also holds after the new writer has closed the sweep.
    """
    clock = time.time()
    monkeypatch.setattr(time, "time", lambda: clock)
    sweep = on_host("one").create(spec())

    def add(host: str, *records: TrialRecord) -> None:
        on_host(host).add(sweep.id, ended(*records))
        on_host(host).flush(sweep.id)

    on_host("one").begin(sweep.id, RULER)
    add("one", record(0.1))
    clock += 10 * HEARTBEAT_SECONDS  # as if the first machine was suspended
    on_host("other").begin(sweep.id, RULER)
    add("other", record(0.2))
    front = build_front(sweep, [], reference=RULER.reference, label_entropy_bits=3.32)
    message = rf"{sweep.id[:8]} is written by process {os.getpid()} on other"

    def assert_refused() -> None:
        one = on_host("one")
        for write in (
            lambda: add("one", record(0.3)),
            lambda: (one.update(sweep.id, front), one.flush(sweep.id)),
            lambda: one.heartbeat(sweep.id),
            lambda: one.close(sweep.id, "failed", front, []),
        ):
            with pytest.raises(TakenOverError, match=message) as caught:
                write()
            assert "\n" not in str(caught.value)

    assert_refused()
    assert on_host("other").find(sweep.id).status == "running"
    on_host("other").heartbeat(sweep.id)
    on_host("other").close(sweep.id, "finished", None, [])
    assert_refused()
    assert on_host("third").find(sweep.id).status == "finished"
    betas = [r.spec["weighting"]["beta"] for r in on_host("third").records(sweep.id)]
    assert betas == [0.1, 0.2]
    on_host("one").begin(sweep.id, RULER)
    add("one", record(0.3))
    assert len(on_host("third").records(sweep.id)) == 3
