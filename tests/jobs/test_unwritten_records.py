"""A store that fails while a sweep runs."""

import pytest

from jobs.sweep import run_sweep
from paretoib.errors import StoreError
from paretoib.records import TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import MemoryTracker


class FullOnce(MemoryTracker):
    """A store with no room for the second record that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[str] = []

    def add(self, sweep_id: str, record: TrialRecord, *, hypervolume: float) -> None:
        self.given.append(record.trial)
        if len(self.given) == 2:
            raise StoreError("no space left")
        super().add(sweep_id, record, hypervolume=hypervolume)


def test_a_record_that_cannot_be_written_ends_the_sweep_and_costs_no_other() -> None:
    """The error is told as it is; nothing is trained again for it, the pack's others are kept."""
    document = {"method": "vib", "trials": 4, "training": {"epochs": 1}}
    spec = SweepSpec.from_document(document | {"model": {"name": "mlp", "hidden": [4]}})
    store = FullOnce()
    with pytest.raises(StoreError, match="no space left"):
        run_sweep(spec, store=lambda: store)
    (sweep,) = store.sweeps()
    assert sweep.status == "failed"
    kept = [record.trial for record in store.records(sweep.id)]
    assert store.given[1] not in kept
    assert len(store.given) == len(set(store.given)) == len(kept) + 1
    assert kept
