"""When a sweep has had enough: budgets, a plateau, a request to end it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.sweep_run import Run
from jobs.worker import failed_record
from paretoib.errors import StoreError
from paretoib.records import Metrics, Progress, Reference, TrialRecord
from paretoib.search import driver
from paretoib.specs import SweepSpec
from paretoib.tracking import JournalTracker, MemoryTracker, Ruler

RULER = Ruler(Reference(rate_bits=10.0, lost_bits=3.0), 3.0)
Make = Callable[..., Run]


@pytest.fixture
def run() -> Make:
    """A run of a sweep of ten trials with such limits."""

    def make(store: MemoryTracker | None = None, **limits: object) -> Run:
        spec = SweepSpec.from_document({"method": "vib", "grid": {"beta": "1e-3:1:10"}, **limits})
        store = store or MemoryTracker()
        told: list[Progress] = []
        made = Run(spec, store.create(spec), store, RULER, driver(spec), told.append)
        made.told = told  # type: ignore[attr-defined]
        made.begin()
        return made

    return make


def end(run: Run, *rates: float, seconds: float = 1.0, tested: float | None = None) -> None:
    """The next trials end, each with its rate, on the test split too or as `tested`; 1 bit lost."""
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


def fail(run: Run, count: int) -> None:
    """The next trials end without a measurement."""
    run.add([failed_record(trial, "its worker was lost") for trial in run.driver.ask(count)])


def test_without_limits_a_sweep_goes_on(run: Make) -> None:
    """However long it takes and however little it gains."""
    going = run()
    end(going, *[5.0] * 9, seconds=1e6)
    assert not going.ended()


def test_a_budget_of_device_seconds(run: Make) -> None:
    """Counts what the trials trained, on whatever worker, also before an interruption."""
    store = MemoryTracker()
    first = run(store, budget={"device_seconds": 25})
    end(first, 5.0, 4.0, seconds=10.0)
    assert not first.ended()
    again = Run(first.spec, first.info, store, RULER, driver(first.spec), lambda _: None)
    again.begin()
    assert not again.ended()
    end(again, 3.0, seconds=10.0)
    assert again.ended()


def test_a_budget_of_wall_clock_time(run: Make) -> None:
    """Counts from the start of the run."""
    going = run(budget={"seconds": 0.2})
    assert not going.ended()
    time.sleep(0.25)
    assert going.ended()


def test_a_plateau(run: Make) -> None:
    """The sweep ends when hypervolume has grown by too little in the last trials."""
    going = run(plateau={"percent": 5, "trials": 3})
    # Hypervolume is 2 · (10 − rate).
    end(going, 6.0, 5.0, 4.9, 4.85)
    assert not going.ended(), "it has grown from 8 to 10.3"
    end(going, 4.84)
    assert going.ended(), "it has grown from 10 to 10.32"


def test_a_plateau_is_one_of_what_was_measured(run: Make) -> None:
    """Trials that fail are none: nothing has stopped growing."""
    going = run(plateau={"percent": 5, "trials": 3})
    fail(going, 5)
    assert not going.ended()
    end(going, 5.0)
    fail(going, 3)
    assert going.ended()


def test_a_plateau_is_seen_on_the_validation_split_alone(run: Make) -> None:
    """What the test split would say decides nothing."""
    growing = run(plateau={"percent": 5, "trials": 2})
    end(growing, 8.0, 6.0, 4.0, 2.0, tested=5.0)
    assert not growing.ended()
    still = run(plateau={"percent": 5, "trials": 2})
    for tested in (8.0, 6.0, 4.0):
        end(still, 5.0, tested=tested)
    assert still.ended()


def test_a_sweep_that_has_run_whole_was_ended_by_nothing(run: Make) -> None:
    """Also where its limit was reached while the last trials were under way."""
    going = run(plateau={"percent": 5, "trials": 2})
    with going.closing():
        end(going, *[5.0] * 8)
        assert going.ended()
        end(going, *[5.0] * 2)
    assert going.told[-1].ended is None  # type: ignore[attr-defined]


def test_why_it_ended_is_told(run: Make) -> None:
    """In words for the user, with the last progress; a sweep ended by its limit has finished."""
    going = run(plateau={"percent": 5, "trials": 2})
    with going.closing():
        end(going, 5.0, 5.0, 5.0)
        assert going.ended()
    assert going.status == "finished"
    assert going.told[-1].ended == (  # type: ignore[attr-defined]
        "its hypervolume grew by no more than 5 % in 2 trials"
    )


def test_a_request_ends_it(run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks the store: the sweep is interrupted at once, and keeps what it has."""
    monkeypatch.setattr("jobs.heartbeat.HEARTBEAT_SECONDS", 0.05)
    going = run()
    with going.closing():
        end(going, 5.0)
        going.store.cancel(going.info.id)
        time.sleep(20)
    assert going.status == "interrupted"
    assert going.store.find(going.info.id).status == "interrupted"
    assert len(going.store.records(going.info.id)) == 1


@pytest.mark.parametrize("by", ["request", "Ctrl-C"])
def test_a_request_after_the_last_trial_interrupts_nothing(
    run: Make, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """However it comes, the sweep has finished."""
    monkeypatch.setattr("jobs.heartbeat.HEARTBEAT_SECONDS", 0.05)
    going = run()
    with going.closing():
        end(going, *[5.0] * 10)
        if by == "Ctrl-C":
            raise KeyboardInterrupt
        going.store.cancel(going.info.id)
        while not going.cancelled:
            time.sleep(0.01)
    assert going.store.find(going.info.id).status == "finished"


def test_a_sweep_that_cannot_be_taken_up_is_left_to_the_next(run: Make, tmp_path: Path) -> None:
    """Where the store breaks while it is read: it is not running, and nobody is locked out."""

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
    again = Run(going.spec, going.info, journal, RULER, driver(going.spec), lambda _: None)
    with pytest.raises(StoreError, match="the disk is gone"):
        again.begin()
    assert store.find(going.info.id).status == "interrupted"
    assert list(tmp_path.iterdir()) == []
    assert set(threading.enumerate()) <= before
