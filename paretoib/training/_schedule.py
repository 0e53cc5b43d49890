"""Learning rate schedules, with a separate learning rate for each trial."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from paretoib.specs import Training, TrialSpec

# torch's defaults: the relative fall of a validation loss that counts as an improvement, and the
# smallest change of a learning rate.
_THRESHOLD, _MIN_CHANGE = 1e-4, 1e-8


class LearningRates:
    """The current learning rate of every trial (`now`), updated at the end of each epoch.

    The rates equal those of torch's `ExponentialLR`, `StepLR` and `ReduceLROnPlateau`, which would
    each need an `Optimizer`.
    """

    def __init__(self, specs: Sequence[TrialSpec]) -> None:
        self._training: Training = specs[0].training
        self.now = [spec.training.learning_rate for spec in specs]
        self._best = [math.inf] * len(specs)
        self._worse = [0] * len(specs)  # epochs without an improvement

    def end_epoch(self, epoch: int, validation_losses: Sequence[float]) -> None:
        """Update the rates after an epoch, counted from 1; only "plateau" uses the losses."""
        schedule, decay = self._training.schedule, self._training.decay
        if schedule == "plateau":
            self.now = [self._on_plateau(i, loss) for i, loss in enumerate(validation_losses)]
        elif schedule == "exponential" or (
            schedule == "step" and epoch % self._training.patience == 0
        ):
            self.now = [rate * decay for rate in self.now]

    def state(self) -> dict[str, Tensor]:
        """Everything that changes during training, (M,) each."""
        return {
            "rate": torch.tensor(self.now, dtype=torch.float64),
            "best": torch.tensor(self._best, dtype=torch.float64),
            "worse": torch.tensor(self._worse),
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore a `state()`."""
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
        return lower if rate - lower > _MIN_CHANGE else rate
