"""Learning rates over the epochs: each trial's own, by the schedules that the papers use."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from paretoib.specs import Training, TrialSpec

# A validation loss counts as better where it falls by this share; torch's own defaults.
_THRESHOLD, _LEAST_CHANGE = 1e-4, 1e-8


class LearningRates:
    """The present learning rate of every trial (`now`), moved on at the end of each epoch.

    The same numbers as torch's `ExponentialLR`, `StepLR` and `ReduceLROnPlateau` give, which would
    want an `Optimizer` each.
    """

    def __init__(self, specs: Sequence[TrialSpec]) -> None:
        self._training: Training = specs[0].training
        self.now = [spec.training.learning_rate for spec in specs]
        self._best = [math.inf] * len(specs)
        self._worse = [0] * len(specs)  # epochs since the best

    def end_epoch(self, epoch: int, validation_losses: Sequence[float]) -> None:
        """Move on after an epoch, from 1. Only the plateau schedule looks at the losses."""
        schedule, decay = self._training.schedule, self._training.decay
        if schedule == "plateau":
            self.now = [self._on_plateau(i, loss) for i, loss in enumerate(validation_losses)]
        elif schedule == "exponential" or (
            schedule == "step" and epoch % self._training.patience == 0
        ):
            self.now = [rate * decay for rate in self.now]

    def state(self) -> dict[str, Tensor]:
        """All that changes, (M,) each."""
        return {
            "rate": torch.tensor(self.now, dtype=torch.float64),
            "best": torch.tensor(self._best, dtype=torch.float64),
            "worse": torch.tensor(self._worse),
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self.now, self._best, self._worse = (
            state[name].tolist() for name in ("rate", "best", "worse")
        )

    def _on_plateau(self, trial: int, loss: float) -> float:
        rate = self.now[trial]
        if loss < self._best[trial] * (1 - _THRESHOLD):
            self._best[trial], self._worse[trial] = loss, 0
            return rate
        self._worse[trial] += 1
        if self._worse[trial] <= self._training.patience:
            return rate
        self._worse[trial] = 0
        lower = rate * self._training.decay
        return lower if rate - lower > _LEAST_CHANGE else rate
