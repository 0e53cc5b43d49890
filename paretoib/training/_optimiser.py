"""Adam for a stack of trials whose learning rates may differ."""

from collections.abc import Sequence
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Adam
from torch.optim.lr_scheduler import ExponentialLR, LRScheduler, ReduceLROnPlateau, StepLR

from paretoib.specs import Training, TrialSpec
from paretoib.training._stack import Solo, Stack


class Optimiser:
    """torch's fused Adam, one for each run of neighbouring trials with the same learning rate.

    Each works on a slice of the stacked parameters, so that trials with one learning rate cost
    one call, however many they are. The plateau schedule makes rates drift apart, so there every
    trial has its own. `run_trials` sorts a pack by learning rate to keep the runs long.
    """

    def __init__(self, stack: Stack, specs: Sequence[TrialSpec]) -> None:
        self.stack = stack
        training = specs[0].training
        self.clip_norm = training.clip_norm
        alone = training.schedule == "plateau" and not isinstance(stack, Solo)
        self._runs: list[tuple[slice, Adam, LRScheduler | ReduceLROnPlateau | None]] = []
        start = 0
        for _, members in groupby(
            enumerate(specs), key=lambda m: m[0] if alone else m[1].training.learning_rate
        ):
            run = list(members)
            trials = slice(start, start + len(run))
            start = trials.stop
            adam = Adam(
                [stack.per_trial(p.detach())[trials] for p in stack.parameters],
                lr=run[0][1].training.learning_rate,
                fused=True,
            )
            self._runs.append((trials, adam, _schedule(adam, training)))

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Update every trial's parameters in place, from gradients as the stack has them."""
        rows = [self.stack.per_trial(g) for g in gradients]
        if self.clip_norm is not None:
            norms = gradient_norms(rows)
            factor = (self.clip_norm / norms.clamp_min(1e-12)).clamp_max(1)
            rows = [r * factor.view(-1, *[1] * (r.ndim - 1)) for r in rows]
        for trials, adam, _ in self._runs:
            for parameter, gradient in zip(adam.param_groups[0]["params"], rows, strict=True):
                # vmap's gradients are transposed in memory, which the fused kernel misreads.
                parameter.grad = gradient[trials].contiguous()
            adam.step()

    def end_epoch(self, validation_loss: Float[Tensor, " M"]) -> None:
        """Move every schedule on by an epoch."""
        for trials, _, schedule in self._runs:
            if isinstance(schedule, ReduceLROnPlateau):
                schedule.step(float(validation_loss[trials.start]))
            elif schedule is not None:
                schedule.step()

    @property
    def learning_rates(self) -> list[float]:
        """The present learning rate of every trial."""
        return [
            float(adam.param_groups[0]["lr"])
            for trials, adam, _ in self._runs
            for _ in range(trials.stop - trials.start)
        ]


def gradient_norms(rows: Sequence[Tensor]) -> Float[Tensor, " M"]:
    """Each trial's gradient norm over all parameters; `rows` are (M, …) each."""
    squares = [torch.linalg.vecdot(r.flatten(1), r.flatten(1)) for r in rows]
    return torch.stack(squares).sum(0).sqrt()


def _schedule(adam: Adam, training: Training) -> LRScheduler | ReduceLROnPlateau | None:
    if training.schedule == "exponential":
        return ExponentialLR(adam, gamma=training.decay)
    if training.schedule == "step":
        return StepLR(adam, step_size=training.patience, gamma=training.decay)
    if training.schedule == "plateau":
        return ReduceLROnPlateau(adam, factor=training.decay, patience=training.patience)
    return None
