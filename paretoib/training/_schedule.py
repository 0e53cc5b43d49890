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

    The values equal those of torch's `ExponentialLR`, `StepLR` and `ReduceLROnPlateau`. torch's
    classes are not used, because each of them needs an `Optimizer`.
    """

    def __init__(self, specs: Sequence[TrialSpec]) -> None:
        self._training: Training = specs[0].training
        self.now = [spec.training.learning_rate for spec in specs]
        self._best = [math.inf] * len(specs)
        self._bad_epochs = [0] * len(specs)  # epochs without an improvement

    def end_epoch(self, epoch: int, validation_losses: Sequence[float]) -> None:
        """Update all learning rates after `epoch` (from 1); only "plateau" uses the losses."""
        schedule, decay = self._training.schedule, self._training.decay
        if schedule == "plateau":
            self.now = [self._on_plateau(i, loss) for i, loss in enumerate(validation_losses)]
        elif schedule == "exponential" or (
            schedule == "step" and epoch % self._training.patience == 0
        ):
            self.now = [learning_rate * decay for learning_rate in self.now]

    def state(self) -> dict[str, Tensor]:
        """The values that change during training: tensors with one element per trial."""
        return {
            "rate": torch.tensor(self.now, dtype=torch.float64),
            "best": torch.tensor(self._best, dtype=torch.float64),
            "worse": torch.tensor(self._bad_epochs),
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore a `state()`."""
        self.now, self._best, self._bad_epochs = (
            state[name].tolist() for name in ("rate", "best", "worse")
        )

    def _on_plateau(self, trial: int, loss: float) -> float:
        learning_rate = self.now[trial]
        if loss < self._best[trial] * (1 - _THRESHOLD):
            self._best[trial], self._bad_epochs[trial] = loss, 0
            return learning_rate
        self._bad_epochs[trial] += 1
        if self._bad_epochs[trial] <= self._training.patience:
            return learning_rate
        self._bad_epochs[trial] = 0
        lower = learning_rate * self._training.decay
        return lower if learning_rate - lower > _MIN_CHANGE else learning_rate
