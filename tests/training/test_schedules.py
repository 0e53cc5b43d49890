"""Learning rate schedules, compared with torch's schedulers."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR, ReduceLROnPlateau, StepLR

from paretoib.specs import TrialSpec
from paretoib.training._pack import Pack
from paretoib.training._run import run_trials
from paretoib.training._schedule import LearningRates

Trial = Callable[..., TrialSpec]
PackOf = Callable[[Sequence[TrialSpec]], Pack]

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
    """The learning rates in a history are those that torch computes for the training losses.

    The training loss is the mean of prediction + β · compression over all examples of an epoch.
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
    records = run_trials(specs, device="cpu")
    for spec, record in zip(specs, records, strict=True):
        prediction, compression = (
            np.array(record.history[f"loss/{name}"]) for name in ("prediction", "compression")
        )
        losses = (prediction + spec.get("beta") * compression).tolist()
        expected = by_torch(schedule, spec.training.learning_rate, losses)
        assert record.history["learning_rate"] == pytest.approx(expected, rel=1e-6)
    ends = [record.history["learning_rate"][-1] for record in records]
    assert (ends[0] == ends[1]) == (schedule != "plateau")


@pytest.mark.parametrize(
    ("method", "fields"),
    [("mib", {"iterations": 20}), ("mtvib", {"data": "digits", "beta": 0.1}), ("det", {})],
)
def test_a_plateau_follows_the_weighted_losses(
    trial: Trial, pack_of: PackOf, method: str, fields: dict[str, Any]
) -> None:
    """The loss of an epoch is Σ_i w_i L_i plus the weighting's penalty, averaged over all examples.

    The weights w_i are those of each step. The last batch of the epoch has fewer examples.
    """
    specs = [trial(method, schedule="plateau", seed=seed, **fields) for seed in (0, 1)]
    pack, twin = pack_of(specs), pack_of(specs)
    total, sizes = np.zeros(2), []
    twin.stack.train(True)
    for batch in twin.batches.epoch():
        log_variance = twin.stack.weighting().get("log_variance", torch.zeros(2, 1)).clone()
        step = twin.step(batch)
        sizes.append(batch.x.shape[1])
        weighted = (step.weights.step * step.losses).sum(1) + log_variance.sum(1) / 2
        total += sizes[-1] * weighted.detach().double().numpy()
    assert sizes[-1] < sizes[0]
    pack.train_epoch()
    lowest = pack.optimiser.learning_rates.state()["lowest_loss"]
    assert lowest.tolist() == pytest.approx((total / sum(sizes)).tolist(), rel=1e-5)


def test_a_stage_of_a_greedy_objective_has_a_plateau_of_its_own(trial: Trial) -> None:
    """Losses of the next layer are not compared with earlier losses; learning rates stay."""
    learning_rates = LearningRates([trial(schedule="plateau", patience=1, learning_rate=1.0)])
    learning_rates.end_epoch(1, [1.0])
    learning_rates.end_epoch(2, [2.0])
    learning_rates.start_stage()
    for epoch in (3, 4):
        learning_rates.end_epoch(epoch, [5.0])
    assert learning_rates.now == [1.0]
    learning_rates.end_epoch(5, [5.0])
    assert learning_rates.now == [pytest.approx(0.97)]


def test_a_greedy_pack_starts_a_plateau_in_each_stage(pack_of: PackOf, trial: Trial) -> None:
    """In the first epoch of the second stage, the lowest loss is the loss of this epoch."""
    fields: dict[str, Any] = {"model": "sigmoid", "hidden": [8], "draws": 2, "epochs": 4}
    pack = pack_of([trial("imb_greedy", schedule="plateau", subset=0.2, beta=1.0, **fields)])
    lowest = []
    for _ in range(3):
        pack.train_epoch()
        lowest.append(float(pack.optimiser.learning_rates.state()["lowest_loss"]))
    history = pack.history.of_trial(0)
    losses = np.array(history["loss/prediction"]) + np.array(history["loss/compression"])
    assert lowest[:2] == pytest.approx(np.minimum.accumulate(losses[:2]).tolist(), rel=1e-5)
    assert lowest[2] == pytest.approx(losses[2], rel=1e-5)
