"""A store that fails while a sweep runs."""

from collections.abc import Sequence

import pytest

from jobs.sweep import run_sweep
from paretoib.errors import StoreError
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, MemoryTracker


class Full(MemoryTracker):
    """A store with no room for the second pack that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[list[str]] = []

    def add(self, sweep_id: str, ended: Sequence[EndedTrial]) -> None:
        self.given.append([one.record.trial for one in ended])
        if len(self.given) == 2:
            raise StoreError("no space left")
        super().add(sweep_id, ended)


def test_a_pack_that_cannot_be_written_ends_the_sweep_and_costs_no_other() -> None:
    """The error is told as it is; nothing is trained again for it, what was written is kept."""
    document = {"method": "vib", "trials": 4, "training": {"epochs": 1}}
    spec = SweepSpec.from_document(document | {"model": {"name": "mlp", "hidden": [4]}})
    store = Full()
    with pytest.raises(StoreError, match="no space left"):
        run_sweep(spec, store=lambda: store)
    (sweep,) = store.sweeps()
    assert sweep.status == "failed"
    first, second = store.given
    assert first
    assert second
    assert [record.trial for record in store.records(sweep.id)] == first
    assert not set(first) & set(second)
