"""The interface of an objective."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.distributions import (
    CategoricalPrediction,
    Classes,
    Output,
    Prediction,
    TaskPredictions,
    by_task,
)
from paretoib.errors import SpecError

Scalar = Float[Tensor, ""]
Hyper = Mapping[str, Any]


class Objective(ABC):
    """Turns a batch and a model's output into named losses, in nats, as scalars.

    An implementation guarantees that `losses`

    - returns one scalar for each name in the `losses` of its entry, in that order: `prediction`
      first, one for each task if Y has several tasks;
    - is differentiable and does not branch on tensor values in Python (it runs under `vmap`);
    - draws no random numbers;
    - does not depend on β, on the optimiser or on Ray.

    `hyper` holds the hyperparameters that the entry marks `per_trial`, as scalar tensors; the
    constructor gets all other hyperparameters.

    If the entry is `greedy`, the binary layers of a network are trained one after another from the
    first one on, in equal shares of the epochs; the layers below are frozen (`Output.frozen`). With
    `optimal_decoder`, q(y|z) of a categorical code is p(y|z) of the training data, computed before
    the first epoch and after each epoch.
    """

    optimal_decoder: bool = False

    @abstractmethod
    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        """The losses of a batch of B examples with targets `y` (B,), (B, d) or (B, T)."""

    def parameters(
        self,
        latent: int,  # noqa: ARG002
        classes: Classes,  # noqa: ARG002
        target_dim: int | None,  # noqa: ARG002
    ) -> Mapping[str, Tensor]:
        """Initial values of the objective's trainable parameters; none by default.

        They are trained with the decoder, and `losses` finds them in
        `output.objective_parameters`. `classes` is one number for each task, or None for a
        continuous Y of dimension `target_dim`.
        """
        return {}

    def diagnostics(
        self,
        losses: Float[Tensor, "M m"],  # noqa: ARG002
        examples: int,  # noqa: ARG002
    ) -> Mapping[str, Float[Tensor, "M m"]]:
        """Values for the history beside the `losses` of M trials in a batch of `examples`.

        One value for each loss, NaN where there is none; no diagnostics by default.
        """
        return {}


def prediction_losses(output: Output, y: Tensor) -> tuple[Scalar, ...]:
    """The decoder cross-entropy E[−log q(y_k|z)] of each task in nats, with one sample of z.

    uib section 5.
    """
    return tuple(task.nll(target).mean() for task, target in by_task(output.prediction, y))


def class_logits(prediction: Prediction, option: str) -> Float[Tensor, "B C"]:
    """The logits of q(y|z).

    Raises:
        SpecError: Y has no classes, which `option` (the name for the message) needs.
    """
    if isinstance(prediction, CategoricalPrediction):
        return prediction.logits
    target = "several tasks" if isinstance(prediction, TaskPredictions) else "a continuous Y"
    raise SpecError(f"objective: {option} needs classes; found {target}")


def nan_like(like: Tensor) -> Tensor:
    """NaN of the same shape: the value in `diagnostics` for a loss that has none."""
    return torch.full_like(like, torch.nan)
