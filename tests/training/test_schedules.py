"""Learning rate schedules, compared with torch's schedulers."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR, ReduceLROnPlateau, StepLR

from paretoib.data._load import load_dataset
from paretoib.specs import TrialSpec
from paretoib.training._pack import HISTORY_INPUTS
from paretoib.training._run import run_trials
from paretoib.training._schedule import LearningRates

Trial = Callable[..., TrialSpec]

DECAY, PATIENCE = 0.6, 1
SCHEDULERS: dict[str, Callable[[Optimizer], Any]] = {
    "constant": lambda sgd: LambdaLR(sgd, lambda _: 1.0),
    "exponential": lambda sgd: ExponentialLR(sgd, gamma=DECAY),
    "step": lambda sgd: StepLR(sgd, step_size=PATIENCE, gamma=DECAY),
    "plateau": lambda sgd: ReduceLROnPlateau(sgd, factor=DECAY, patience=PATIENCE),
}


def by_torch(schedule: str, initial: float, losses: Sequence[float]) -> list[float]:
    """The learning rate of each epoch, for these losses at the ends of the epochs."""
    sgd = SGD([torch.zeros(1, requires_grad=True)], lr=initial)
    scheduler = SCHEDULERS[schedule](sgd)
    learning_rates = []
    for loss in losses:
        learning_rates.append(float(sgd.param_groups[0]["lr"]))
        sgd.step()
        scheduler.step(*([loss] if schedule == "plateau" else []))
    return learning_rates


def random_losses(seed: int, epochs: int) -> list[float]:
    """Losses that fall, fall by less than the threshold, rise, and are sometimes not finite."""
    rng = np.random.default_rng(seed)
    losses = 5 + np.cumsum(rng.choice([-0.2, -1e-5, 0.0, 0.15], size=epochs))
    losses[rng.random(epochs) < 0.05] = rng.choice([math.nan, math.inf])
    return [float(v) for v in losses]


@pytest.mark.parametrize("schedule", SCHEDULERS)
def test_learning_rates_equal_those_of_torch(trial: Trial, schedule: str) -> None:
    """Over 300 epochs, the learning rates of four trials in one pack equal torch's to the last bit.

    The state is saved and restored after every epoch, as by a checkpoint.
    """
    fields: dict[str, Any] = {"schedule": schedule, "decay": DECAY, "patience": PATIENCE}
    specs = [trial(learning_rate=initial, **fields) for initial in (1e-3, 2e-2, 1e-3, 10.0)]
    losses = [random_losses(seed, 300) for seed in range(len(specs))]
    learning_rates = LearningRates(specs)
    actual = []
    for epoch in range(300):
        actual.append(learning_rates.now)
        learning_rates.end_epoch(epoch + 1, [row[epoch] for row in losses])
        state = learning_rates.state()
        learning_rates = LearningRates(specs)
        learning_rates.load(state)
    for i, spec in enumerate(specs):
        assert [now[i] for now in actual] == by_torch(
            schedule, spec.training.learning_rate, losses[i]
        )


@pytest.mark.parametrize("schedule", ["exponential", "plateau"])
def test_a_pack_uses_the_schedule(trial: Trial, schedule: str) -> None:
    """The learning rates in a history are those that torch computes for the validation losses.

    With "plateau", two trials start with equal learning rates and end with different ones.
    """
    fields: dict[str, Any] = {
        "schedule": schedule,
        "decay": DECAY,
        "patience": PATIENCE,
        "epochs": 16,
        "initial_noise": 0.3,
        "batch_size": 32,
    }
    varied = ((0.05, 1e-3), (0.05, 0.03), (5e-3, 1e-3), (0.1, 0.1))
    specs = [trial(learning_rate=initial, beta=beta, **fields) for initial, beta in varied]
    dataset = load_dataset("digits", specs[0].data.params)
    entropy, _ = dataset.entropies(dataset.validation.first(HISTORY_INPUTS))
    records = run_trials(specs, device="cpu")
    for spec, record in zip(specs, records, strict=True):
        # The cross-entropy cannot be recovered from a relevance of 0.
        assert all(record.history["relevance_bits"])
        losses = [entropy - bits * math.log(2) for bits in record.history["relevance_bits"] if bits]
        expected = by_torch(schedule, spec.training.learning_rate, losses)
        assert record.history["learning_rate"] == pytest.approx(expected, rel=1e-6)
    ends = [record.history["learning_rate"][-1] for record in records]
    assert (ends[0] == ends[1]) == (schedule != "plateau")
