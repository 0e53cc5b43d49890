"""Learning rate schedules, with a separate learning rate for each trial."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from paretoib.specs import Training, TrialSpec

# torch's defaults: the relative fall of a loss that counts as an improvement, and the smallest
# change of a learning rate.
_THRESHOLD, _MIN_CHANGE = 1e-4, 1e-8


class LearningRates:
    """The current learning rate of every trial (`now`), updated at the end of each epoch.

    The values equal those of torch's `ExponentialLR`, `StepLR` and `ReduceLROnPlateau`. torch's
    classes are not used, because each of them needs an `Optimizer`.

    "plateau" is the schedule of uib section 7, which lowers the learning rate by 0.8 "whenever it
    plateaus for more than 3 episodes" and does not name the quantity. Here it is the training loss,
    averaged over the epoch (`Step.training_loss`).
    """

    def __init__(self, specs: Sequence[TrialSpec]) -> None:
        self._training: Training = specs[0].training
        self.now = [spec.training.learning_rate for spec in specs]
        self.start_stage()

    @property
    def follow_losses(self) -> bool:
        """Whether `end_epoch` uses the losses, as "plateau" does."""
        return self._training.schedule == "plateau"

    def start_stage(self) -> None:
        """Forget the losses so far, which belong to another objective; learning rates stay."""
        self._lowest = [math.inf] * len(self.now)
        self._bad_epochs = [0] * len(self.now)  # epochs without an improvement

    def end_epoch(self, epoch: int, training_losses: Sequence[float]) -> None:
        """Update all learning rates after `epoch` (from 1), with its mean training losses."""
        schedule, decay = self._training.schedule, self._training.decay
        if self.follow_losses:
            self.now = [self._on_plateau(i, loss) for i, loss in enumerate(training_losses)]
        elif schedule == "exponential" or (
            schedule == "step" and epoch % self._training.patience == 0
        ):
            self.now = [learning_rate * decay for learning_rate in self.now]

    def state(self) -> dict[str, Tensor]:
        """The values that change during training: tensors with one element per trial."""
        return {
            "rate": torch.tensor(self.now, dtype=torch.float64),
            "lowest_loss": torch.tensor(self._lowest, dtype=torch.float64),
            "bad_epochs": torch.tensor(self._bad_epochs),
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore a `state()`."""
        self.now, self._lowest, self._bad_epochs = (
            state[name].tolist() for name in ("rate", "lowest_loss", "bad_epochs")
        )

    def _on_plateau(self, trial: int, loss: float) -> float:
        learning_rate = self.now[trial]
        if loss < self._lowest[trial] * (1 - _THRESHOLD):
            self._lowest[trial], self._bad_epochs[trial] = loss, 0
            return learning_rate
        self._bad_epochs[trial] += 1
        if self._bad_epochs[trial] <= self._training.patience:
            return learning_rate
        self._bad_epochs[trial] = 0
        lower = learning_rate * self._training.decay
        return lower if learning_rate - lower > _MIN_CHANGE else learning_rate
