"""`JournalTracker.stop_waiting` while the store is unavailable."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from paretoib.errors import StoreError, StoreUnavailableError
from paretoib.records import ReferencePoint, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, JournalTracker, Ruler

from .flaky_store import FlakyStore

RULER = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32)


@pytest.mark.parametrize("moment", ["before close", "during close"])
def test_close_stops_waiting_for_an_unavailable_store(
    tmp_path: Path, spec: SweepSpec, record: Callable[..., TrialRecord], moment: str
) -> None:
    """If `stop_waiting` is called before or during `close`, `close` raises the store's error.

    The trial stays in the journal.
    """
    store = FlakyStore()
    journal = JournalTracker(store, tmp_path, patience=60)
    sweep = journal.create(spec)
    journal.begin(sweep.id, RULER)
    store.failure = StoreUnavailableError("no route to host")
    journal.add(sweep.id, [EndedTrial(record(0), 1.0)])
    began = time.monotonic()
    if moment == "before close":
        journal.stop_waiting(sweep.id)
    else:
        threading.Timer(0.5, journal.stop_waiting, [sweep.id]).start()
    with pytest.raises(StoreError, match="no route to host; 1 ended trial waits in"):
        journal.close(sweep.id, "finished", None, [])
    assert time.monotonic() - began < 10
    assert len(JournalTracker(store, tmp_path).records(sweep.id)) == 1
