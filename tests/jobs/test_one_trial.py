"""`jobs.sweep.train`: one trial in this process, stored as a sweep."""

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from jobs.sweep import train
from paretoib.errors import ParetoIBError
from paretoib.settings import settings
from paretoib.specs import SweepSpec
from paretoib.tracking import MemoryTracker


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Sets environment variables for one test, without cached settings."""
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()


def one_trial(**training: object) -> SweepSpec:
    """A sweep of one small trial."""
    model = {"name": "mlp", "hidden": [4], "latent": 2}
    grid = {"beta": [0.1]}
    return SweepSpec.from_document(
        {"method": "vib", "grid": grid, "model": model, "training": {"epochs": 1, **training}}
    )


@pytest.mark.parametrize(
    ("name", "training", "message"),
    [
        ("cpu", {"precision": "bf16"}, "training.precision: bf16 needs a CUDA device; found cpu"),
        ("foo", {}, "PARETOIB_DEVICE should be a torch device; found `foo`"),
    ],
)
def test_a_device_that_cannot_train_the_trial_is_refused(
    environment: pytest.MonkeyPatch, name: str, training: dict[str, str], message: str
) -> None:
    """If the device cannot train the trial, `train` raises an error and creates no sweep."""
    environment.setenv("PARETOIB_DEVICE", name)
    store = MemoryTracker()
    with pytest.raises(ParetoIBError, match=message):
        train(one_trial(**training), store=lambda: store)
    assert store.sweeps() == []


def test_several_trials_are_refused() -> None:
    """`train` takes a sweep of exactly one trial."""
    several = SweepSpec.from_document({"method": "vib", "grid": {"beta": [0.1, 0.2]}})
    with pytest.raises(ParetoIBError, match="should have 1 trial; found 2"):
        train(several, store=MemoryTracker)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_before_the_training_closes_the_sweep(sent: signal.Signals) -> None:
    """After Ctrl-C, the sweep is cancelled; after SIGTERM or SIGHUP, the sweep is interrupted."""
    if signal.getsignal(sent) is signal.SIG_IGN:
        pytest.skip(f"{sent.name} is ignored, as under nohup")

    class Interrupted(MemoryTracker):
        def begin(self, sweep_id: str, *details: Any) -> None:
            os.kill(os.getpid(), sent)
            super().begin(sweep_id, *details)

    store = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        train(one_trial(), store=lambda: store)
    (sweep,) = store.sweeps()
    assert sweep.status == ("cancelled" if sent == signal.SIGINT else "interrupted")


def test_sigterm_during_the_training_interrupts_the_sweep() -> None:
    """SIGTERM during the training closes the sweep with the status `interrupted`."""

    class Terminated(MemoryTracker):
        def begin(self, sweep_id: str, *details: Any) -> None:
            super().begin(sweep_id, *details)
            threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM)).start()

    store = Terminated()
    with pytest.raises(KeyboardInterrupt):
        train(one_trial(epochs=100_000), store=lambda: store)
    (sweep,) = store.sweeps()
    assert sweep.status == "interrupted"
