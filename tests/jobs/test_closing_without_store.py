"""A sweep that ends while its store is unavailable."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from jobs.sweep_run import SweepRun
from jobs.worker import failed_record
from paretoib.errors import StoreError, StoreUnavailableError
from paretoib.records import ReferencePoint
from paretoib.search import driver
from paretoib.specs import SweepSpec
from paretoib.tracking import JournalTracker, MemoryTracker, Ruler

RULER = Ruler(ReferencePoint(rate_bits=10.0, lost_bits=3.0), 3.0)


class UnavailableStore(MemoryTracker):
    """A store that becomes unavailable after the sweep has begun."""

    def add(self, *_: object) -> None:
        raise StoreUnavailableError("connection refused")

    close = add


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_second_interrupt_ends_the_wait_for_the_store(
    sent: signal.Signals, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """While an interrupted sweep waits for its store, a second interrupt ends the wait.

    The log says what the sweep waits for. The error says where the ended trial is stored.
    """
    store = UnavailableStore()
    spec = SweepSpec.from_document({"method": "vib", "grid": {"beta": [0.1, 0.2]}})
    tracker = JournalTracker(store, tmp_path)
    run = SweepRun(spec, tracker.create(spec), tracker, RULER, driver(spec), lambda _: None)

    def interrupted_twice() -> None:
        run.begin()
        with run.closing():
            run.add([failed_record(run.driver.ask(1)[0], "an example")])
            threading.Timer(4, os.kill, (os.getpid(), sent)).start()
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(StoreError, match="1 ended trial waits in"):
        interrupted_twice()
    assert 3 < time.monotonic() - began < 15
    assert caplog.messages == [
        "waiting for MLflow, 300 s at most or until Ctrl-C: connection refused"
    ]
    assert run.status == "cancelled"
    assert len(tracker.records(run.id)) == 1
