"""The limits of a sweep: budgets and plateaus; the cancellation of a sweep."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.sweep_run import SweepRun
from jobs.worker import failed_record
from paretoib.errors import StoreError
from paretoib.records import Metrics, ReferencePoint, SweepState, TrialRecord
from paretoib.search import driver
from paretoib.specs import Additions, SweepSpec
from paretoib.tracking import JournalTracker, MemoryTracker, Ruler, extended_spec

RULER = Ruler(ReferencePoint(rate_bits=10.0, lost_bits=3.0), 3.0)
BeginRun = Callable[..., SweepRun]


@pytest.fixture
def run() -> BeginRun:
    """`run(**limits)` begins a sweep of ten trials; the result's `reported` lists its states."""

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
    """End the next trials with these rates and 1 lost bit; `tested`: the rate on the test split."""
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
    """The reason in the last reported state."""
    state: SweepState = run.reported[-1]  # type: ignore[attr-defined]
    return state.reason


def fail(run: SweepRun, count: int) -> None:
    """End the next trials without a measurement."""
    run.add([failed_record(trial, "its worker was lost") for trial in run.driver.ask(count)])


def test_a_sweep_without_limits_does_not_stop(run: BeginRun) -> None:
    """Without limits, neither a long training time nor an unchanged hypervolume ends the sweep."""
    sweep_run = run()
    end(sweep_run, *[5.0] * 9, seconds=1e6)
    assert not sweep_run.should_stop()


def test_a_budget_of_device_seconds_ends_the_sweep(run: BeginRun) -> None:
    """`device_seconds` limits the training time of all trials, also before an interruption."""
    store = MemoryTracker()
    first = run(store, budget={"device_seconds": 25})
    end(first, 5.0, 4.0, seconds=10.0)
    assert not first.should_stop()
    resumed = SweepRun(
        first.spec, store.state(first.id), store, RULER, driver(first.spec), lambda _: None
    )
    resumed.begin()
    assert not resumed.should_stop()
    end(resumed, 3.0, seconds=10.0)
    assert resumed.should_stop()


def extended_run(before: SweepRun, **additions: object) -> SweepRun:
    """The run of an extension of a sweep whose run has ended."""
    store, reported = before.store, []
    spec = extended_spec(store.state(before.id), Additions.from_document(additions))
    state = store.extend(before.id, spec)
    run = SweepRun(spec, state, store, RULER, driver(spec), reported.append)
    run.reported = reported  # type: ignore[attr-defined]
    run.begin()
    return run


def test_limits_count_from_the_last_extension(run: BeginRun) -> None:
    """A sweep that ended at a budget and a plateau goes on, until it reaches one of them again."""
    limits = {"budget": {"device_seconds": 25}, "plateau": {"percent": 5, "trials": 4}}
    first = run(**limits)
    with first.closing():
        end(first, 5.0, 5.0, 5.0, seconds=10.0)
        assert first.should_stop()
    second = extended_run(first, seeds="+1")
    with second.closing():
        assert not second.should_stop()
        end(second, 5.0, 5.0, seconds=10.0)
        assert not second.should_stop()
        end(second, 5.0, seconds=10.0)
        assert second.should_stop(), "30 s of training since the extension"
    assert last_reason(second) == "the budget of 25 s of training is spent"
    third = extended_run(second, seeds="+1")
    with third.closing():
        end(third, *[5.0] * 4, seconds=1.0)
        assert not third.should_stop()
        end(third, 5.0, seconds=1.0)
        assert third.should_stop(), "no growth in 4 trials since the extension"
    assert last_reason(third) == "the hypervolume grew by no more than 5 % in 4 trials"
    assert len({record.trial for record in third.records}) == 11
    # A resume continues to count from the extension.
    resumed = SweepRun(
        third.spec, third.store.state(third.id), third.store, RULER, driver(third.spec), print
    )
    resumed.begin()
    assert resumed.should_stop()


def test_a_budget_of_seconds_ends_the_sweep(run: BeginRun) -> None:
    """`seconds` limits the wall-clock time since the start of the job."""
    sweep_run = run(budget={"seconds": 0.2})
    assert not sweep_run.should_stop()
    time.sleep(0.25)
    assert sweep_run.should_stop()


def test_a_plateau_ends_the_sweep(run: BeginRun) -> None:
    """The sweep ends when the hypervolume has grown by 5 % or less in the last 3 trials."""
    sweep_run = run(plateau={"percent": 5, "trials": 3})
    # The hypervolume is 2 · (10 − rate).
    end(sweep_run, 6.0, 5.0, 4.9, 4.85)
    assert not sweep_run.should_stop(), "the hypervolume has grown from 8 to 10.3"
    end(sweep_run, 4.84)
    assert sweep_run.should_stop(), "the hypervolume has grown from 10 to 10.32"


def test_a_plateau_needs_a_measured_trial(run: BeginRun) -> None:
    """While all trials fail, the hypervolume is 0, and that is no plateau."""
    sweep_run = run(plateau={"percent": 5, "trials": 3})
    fail(sweep_run, 5)
    assert not sweep_run.should_stop()
    end(sweep_run, 5.0)
    fail(sweep_run, 3)
    assert sweep_run.should_stop()


def test_a_plateau_is_measured_on_the_validation_split(run: BeginRun) -> None:
    """The rate on the test split neither delays nor causes the end of a sweep."""
    growing = run(plateau={"percent": 5, "trials": 2})
    end(growing, 8.0, 6.0, 4.0, 2.0, tested=5.0)
    assert not growing.should_stop()
    still = run(plateau={"percent": 5, "trials": 2})
    for tested in (8.0, 6.0, 4.0):
        end(still, 5.0, tested=tested)
    assert still.should_stop()


def test_a_complete_sweep_has_no_reason(run: BeginRun) -> None:
    """A sweep whose trials have all ended has no reason, even if it reached a limit before."""
    sweep_run = run(plateau={"percent": 5, "trials": 2})
    with sweep_run.closing():
        end(sweep_run, *[5.0] * 8)
        assert sweep_run.should_stop()
        end(sweep_run, *[5.0] * 2)
    assert last_reason(sweep_run) is None


def test_a_sweep_without_a_finished_trial_has_the_reason(run: BeginRun) -> None:
    """The most frequent reason of its trials is the reason of the failed sweep."""
    sweep_run = run()
    with sweep_run.closing():
        trials = sweep_run.driver.ask(10)
        reasons = ["the worker was lost", *["no such file"] * 9]
        sweep_run.add(list(map(failed_record, trials, reasons)))
    assert sweep_run.status == "failed"
    assert last_reason(sweep_run) == "no trial finished: no such file"
    assert sweep_run.store.state(sweep_run.id).reason == last_reason(sweep_run)


def test_the_limit_that_ended_a_sweep_is_its_reason(run: BeginRun) -> None:
    """A sweep that ended at a limit is finished.

    The last reported state and the store have the reason.
    """
    sweep_run = run(plateau={"percent": 5, "trials": 2})
    with sweep_run.closing():
        end(sweep_run, 5.0, 5.0, 5.0)
        assert sweep_run.should_stop()
    assert sweep_run.status == "finished"
    assert last_reason(sweep_run) == "the hypervolume grew by no more than 5 % in 2 trials"
    assert sweep_run.store.state(sweep_run.id).reason == last_reason(sweep_run)


def test_a_request_to_cancel_ends_the_sweep(run: BeginRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request to cancel ends the sweep at once, and its ended trials are kept."""
    monkeypatch.setattr("jobs.heartbeat.HEARTBEAT_SECONDS", 0.05)
    sweep_run = run()
    with sweep_run.closing():
        end(sweep_run, 5.0)
        sweep_run.store.cancel(sweep_run.id)
        time.sleep(20)
    assert sweep_run.status == "cancelled"
    assert sweep_run.store.find(sweep_run.id).status == "cancelled"
    assert len(sweep_run.store.records(sweep_run.id)) == 1


@pytest.mark.parametrize("by", ["request", "Ctrl-C"])
def test_a_cancellation_after_the_last_trial_has_no_effect(
    run: BeginRun, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """If a sweep is cancelled after its last trial, its status is `finished`."""
    monkeypatch.setattr("jobs.heartbeat.HEARTBEAT_SECONDS", 0.05)
    sweep_run = run()
    with sweep_run.closing():
        end(sweep_run, *[5.0] * 10)
        if by == "Ctrl-C":
            raise KeyboardInterrupt
        sweep_run.store.cancel(sweep_run.id)
        while not sweep_run.cancelled:
            time.sleep(0.01)
    assert sweep_run.store.find(sweep_run.id).status == "finished"


def test_a_sweep_that_cannot_be_resumed_is_unlocked(run: BeginRun, tmp_path: Path) -> None:
    """If a resume cannot read the records, the sweep is interrupted.

    Its journal is closed, and its threads have ended.
    """

    class Broken(MemoryTracker):
        broken = False

        def records(self, sweep_id: str) -> list[TrialRecord]:
            if self.broken:
                raise StoreError("the disk is gone")
            return super().records(sweep_id)

    store = Broken()
    sweep_run = run(store)
    end(sweep_run, 5.0)
    store.broken = True
    before = set(threading.enumerate())
    journal = JournalTracker(store, tmp_path)
    resumed = SweepRun(
        sweep_run.spec,
        store.state(sweep_run.id),
        journal,
        RULER,
        driver(sweep_run.spec),
        lambda _: None,
    )
    with pytest.raises(StoreError, match="the disk is gone"):
        resumed.begin()
    assert store.find(sweep_run.id).status == "interrupted"
    assert list(tmp_path.iterdir()) == []
    assert set(threading.enumerate()) <= before
