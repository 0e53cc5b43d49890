"""`train`: one trial in this process, opened and closed as a sweep is."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from jobs.sweep import train
from paretoib.errors import ParetoIBError
from paretoib.settings import settings
from paretoib.specs import SweepSpec
from paretoib.tracking import MemoryTracker, Ruler


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Sets PARETOIB_DEVICE for one test."""
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()


def one(**training: object) -> SweepSpec:
    """A sweep of one small trial."""
    model = {"name": "mlp", "hidden": [4], "latent": 2}
    grid = {"beta": [0.1]}
    return SweepSpec.from_document(
        {"method": "vib", "grid": grid, "model": model, "training": {"epochs": 1, **training}}
    )


@pytest.mark.parametrize(
    ("name", "training", "said"),
    [
        ("cpu", {"precision": "bf16"}, "training.precision: bf16 needs a CUDA device; found cpu"),
        ("foo", {}, "PARETOIB_DEVICE should be a torch device; found `foo`"),
    ],
)
def test_what_the_device_cannot_train_is_refused(
    device: pytest.MonkeyPatch, name: str, training: dict[str, str], said: str
) -> None:
    """Before there is a sweep."""
    device.setenv("PARETOIB_DEVICE", name)
    store = MemoryTracker()
    with pytest.raises(ParetoIBError, match=said):
        train(one(**training), store=lambda: store)
    assert store.sweeps() == []


def test_several_trials_are_refused() -> None:
    """They are a sweep."""
    several = SweepSpec.from_document({"method": "vib", "grid": {"beta": [0.1, 0.2]}})
    with pytest.raises(ParetoIBError, match="should have 1 trial; found 2"):
        train(several, store=MemoryTracker)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_it_is_made_closes_it(sent: signal.Signals) -> None:
    """However early it comes, no sweep is left that seems to run."""

    class Interrupted(MemoryTracker):
        def begin(self, sweep_id: str, ruler: Ruler) -> None:
            os.kill(os.getpid(), sent)
            super().begin(sweep_id, ruler)

    store = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        train(one(), store=lambda: store)
    (sweep,) = store.sweeps()
    assert sweep.status == "interrupted"


def test_a_termination_is_an_interrupt() -> None:
    """In the middle of its training."""

    class Terminated(MemoryTracker):
        def begin(self, sweep_id: str, ruler: Ruler) -> None:
            super().begin(sweep_id, ruler)
            threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM)).start()

    store = Terminated()
    with pytest.raises(KeyboardInterrupt):
        train(one(epochs=100_000), store=lambda: store)
    (sweep,) = store.sweeps()
    assert sweep.status == "interrupted"
