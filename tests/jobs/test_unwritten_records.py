"""A store that fails while a sweep runs."""

from collections.abc import Sequence

import pytest

from jobs.sweep import run_sweep
from paretoib.errors import StoreError
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, MemoryTracker


class FullStore(MemoryTracker):
    """A store that raises an error for the second pack."""

    def __init__(self) -> None:
        super().__init__()
        self.packs: list[list[str]] = []

    def add(self, sweep_id: str, ended: Sequence[EndedTrial]) -> None:
        self.packs.append([trial.record.trial for trial in ended])
        if len(self.packs) == 2:
            raise StoreError("no space left")
        super().add(sweep_id, ended)


def test_a_pack_that_cannot_be_written_ends_the_sweep() -> None:
    """If the second pack cannot be written, the store's error is raised.

    No pack is trained again, and the first pack is kept.
    """
    document = {"method": "vib", "trials": 4, "training": {"epochs": 1}}
    spec = SweepSpec.from_document(document | {"model": {"name": "mlp", "hidden": [4]}})
    store = FullStore()
    with pytest.raises(StoreError, match="no space left"):
        run_sweep(spec, store=lambda: store)
    (sweep,) = store.sweeps()
    assert sweep.status == "failed"
    first, second = store.packs
    assert first
    assert second
    assert [record.trial for record in store.records(sweep.id)] == first
    assert not set(first) & set(second)
