"""What becomes of a sweep's end for someone who waits no longer."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from paretoib.errors import StoreAwayError, StoreError
from paretoib.records import Reference, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, JournalTracker, Ruler

from .flaky_store import FlakyStore

RULER = Ruler(Reference(rate_bits=33.2, lost_bits=3.32), 3.32)


@pytest.mark.parametrize("moment", ["before", "meanwhile"])
def test_a_store_that_is_away_is_waited_for_no_longer(
    tmp_path: Path, spec: SweepSpec, record: Callable[..., TrialRecord], moment: str
) -> None:
    """Whenever someone says so; what the store has not is in the journal."""
    store = FlakyStore()
    journal = JournalTracker(store, tmp_path, patience=60)
    sweep = journal.create(spec)
    journal.begin(sweep.id, RULER)
    store.failure = StoreAwayError("no route to host")
    journal.add(sweep.id, [EndedTrial(record(0), 1.0)])
    began = time.monotonic()
    if moment == "before":
        journal.stop_waiting(sweep.id)
    else:
        threading.Timer(0.5, journal.stop_waiting, [sweep.id]).start()
    with pytest.raises(StoreError, match="no route to host; 1 ended trial waits in"):
        journal.close(sweep.id, "finished", None, [])
    assert time.monotonic() - began < 10
    assert len(JournalTracker(store, tmp_path).records(sweep.id)) == 1
