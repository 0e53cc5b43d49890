"""The limits of a sweep: budgets, a plateau, a request to cancel it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.sweep_run import SweepRun
from jobs.worker import failed_record
from paretoib.errors import StoreError
from paretoib.records import Metrics, Reference, SweepState, TrialRecord
from paretoib.search import driver
from paretoib.specs import SweepSpec
from paretoib.tracking import JournalTracker, MemoryTracker, Ruler

RULER = Ruler(Reference(rate_bits=10.0, lost_bits=3.0), 3.0)
Make = Callable[..., SweepRun]


@pytest.fixture
def run() -> Make:
    """Begins a sweep of ten trials with these limits; `reported` lists its progress."""

    def make(store: MemoryTracker | None = None, **limits: object) -> SweepRun:
        spec = SweepSpec.from_document({"method": "vib", "grid": {"beta": "1e-3:1:10"}, **limits})
        store = store or MemoryTracker()
        reported: list[SweepState] = []
        begun = SweepRun(spec, store.create(spec), store, RULER, driver(spec), reported.append)
        begun.reported = reported  # type: ignore[attr-defined]
        begun.begin()
        return begun

    return make


def end(run: SweepRun, *rates: float, seconds: float = 1.0, tested: float | None = None) -> None:
    """End the next trials at these rates, 1 bit lost; `tested`: their rate on the test split."""
    for trial, rate in zip(run.driver.ask(len(rates)), rates, strict=True):
        record = TrialRecord(
            trial=trial.key,
            spec=trial.document,
            status="finished",
            validation=measured(rate),
            test=measured(rate if tested is None else tested),
            seconds=seconds,
        )
        run.add([record])
        run.driver.tell(record)


def measured(rate: float) -> Metrics:
    return Metrics(
        examples=100,
        rate_bits=rate,
        rate_lower_bits=rate,
        rate_se_bits=0.0,
        relevance_bits=2.0,
        relevance_se_bits=0.0,
        ceiling_bits=3.0,
        lost_bits=1.0,
        cross_entropy_bits=1.0,
    )


def last_reason(run: SweepRun) -> str | None:
    """The reason in the last reported progress."""
    state: SweepState = run.reported[-1]  # type: ignore[attr-defined]
    return state.reason


def fail(run: SweepRun, count: int) -> None:
    """End the next trials without a measurement."""
    run.add([failed_record(trial, "its worker was lost") for trial in run.driver.ask(count)])


def test_without_limits_a_sweep_goes_on(run: Make) -> None:
    """However long it takes, and however little the hypervolume grows."""
    going = run()
    end(going, *[5.0] * 9, seconds=1e6)
    assert not going.should_stop()


def test_a_budget_of_device_seconds(run: Make) -> None:
    """Sums the training of all workers, including trials before an interruption."""
    store = MemoryTracker()
    first = run(store, budget={"device_seconds": 25})
    end(first, 5.0, 4.0, seconds=10.0)
    assert not first.should_stop()
    again = SweepRun(
        first.spec, store.state(first.id), store, RULER, driver(first.spec), lambda _: None
    )
    again.begin()
    assert not again.should_stop()
    end(again, 3.0, seconds=10.0)
    assert again.should_stop()


def test_a_budget_of_wall_clock_time(run: Make) -> None:
    """Counts from the start of the run."""
    going = run(budget={"seconds": 0.2})
    assert not going.should_stop()
    time.sleep(0.25)
    assert going.should_stop()


def test_a_plateau(run: Make) -> None:
    """The sweep ends when hypervolume has grown by too little in the last trials."""
    going = run(plateau={"percent": 5, "trials": 3})
    # Hypervolume is 2 · (10 − rate).
    end(going, 6.0, 5.0, 4.9, 4.85)
    assert not going.should_stop(), "it has grown from 8 to 10.3"
    end(going, 4.84)
    assert going.should_stop(), "it has grown from 10 to 10.32"


def test_a_plateau_is_one_of_what_was_measured(run: Make) -> None:
    """While all trials fail there is no plateau."""
    going = run(plateau={"percent": 5, "trials": 3})
    fail(going, 5)
    assert not going.should_stop()
    end(going, 5.0)
    fail(going, 3)
    assert going.should_stop()


def test_a_plateau_is_seen_on_the_validation_split_alone(run: Make) -> None:
    """The test split decides nothing."""
    growing = run(plateau={"percent": 5, "trials": 2})
    end(growing, 8.0, 6.0, 4.0, 2.0, tested=5.0)
    assert not growing.should_stop()
    still = run(plateau={"percent": 5, "trials": 2})
    for tested in (8.0, 6.0, 4.0):
        end(still, 5.0, tested=tested)
    assert still.should_stop()


def test_a_sweep_that_has_run_whole_was_ended_by_nothing(run: Make) -> None:
    """Even if it reached its limit while the last trials were in flight, it has no reason."""
    going = run(plateau={"percent": 5, "trials": 2})
    with going.closing():
        end(going, *[5.0] * 8)
        assert going.should_stop()
        end(going, *[5.0] * 2)
    assert last_reason(going) is None


def test_why_it_ended_is_told(run: Make) -> None:
    """In the last progress and in the store; a sweep that reached its limit has finished."""
    going = run(plateau={"percent": 5, "trials": 2})
    with going.closing():
        end(going, 5.0, 5.0, 5.0)
        assert going.should_stop()
    assert going.status == "finished"
    assert last_reason(going) == "the hypervolume grew by no more than 5 % in 2 trials"
    assert going.store.state(going.id).reason == last_reason(going)


def test_a_request_ends_it(run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep is interrupted at once and keeps its trials."""
    monkeypatch.setattr("jobs.heartbeat.HEARTBEAT_SECONDS", 0.05)
    going = run()
    with going.closing():
        end(going, 5.0)
        going.store.cancel(going.id)
        time.sleep(20)
    assert going.status == "interrupted"
    assert going.store.find(going.id).status == "interrupted"
    assert len(going.store.records(going.id)) == 1


@pytest.mark.parametrize("by", ["request", "Ctrl-C"])
def test_a_request_after_the_last_trial_interrupts_nothing(
    run: Make, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """By request or by Ctrl-C: the sweep has finished."""
    monkeypatch.setattr("jobs.heartbeat.HEARTBEAT_SECONDS", 0.05)
    going = run()
    with going.closing():
        end(going, *[5.0] * 10)
        if by == "Ctrl-C":
            raise KeyboardInterrupt
        going.store.cancel(going.id)
        while not going.cancelled:
            time.sleep(0.01)
    assert going.store.find(going.id).status == "finished"


def test_a_sweep_that_cannot_be_taken_up_is_left_to_the_next(run: Make, tmp_path: Path) -> None:
    """If the store breaks while it is read, the sweep is interrupted and not locked."""

    class Broken(MemoryTracker):
        broken = False

        def records(self, sweep_id: str) -> list[TrialRecord]:
            if self.broken:
                raise StoreError("the disk is gone")
            return super().records(sweep_id)

    store = Broken()
    going = run(store)
    end(going, 5.0)
    store.broken = True
    before = set(threading.enumerate())
    journal = JournalTracker(store, tmp_path)
    again = SweepRun(
        going.spec, store.state(going.id), journal, RULER, driver(going.spec), lambda _: None
    )
    with pytest.raises(StoreError, match="the disk is gone"):
        again.begin()
    assert store.find(going.id).status == "interrupted"
    assert list(tmp_path.iterdir()) == []
    assert set(threading.enumerate()) <= before
