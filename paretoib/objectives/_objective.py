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
    """Turns a batch and a model's output into named losses, which are scalars.

    Prediction is in nats; so is compression, unless the docstring of the objective says otherwise.

    An implementation guarantees that `losses`

    - returns one scalar for each name in the `losses` of its entry, in that order: `prediction`
      first, one for each task if Y has several tasks;
    - is differentiable and does not branch on tensor values in Python (it runs under `vmap`);
    - draws no random numbers;
    - does not depend on β, on the optimiser or on Ray.

    `hyper` holds the hyperparameters that the entry marks `per_trial`, as scalar tensors. The
    constructor gets the other hyperparameters, except those marked `sets_noise`.

    If the entry is `greedy`, the binary layers of a network are trained one after another, starting
    with the first, in equal shares of the epochs. The layers below the trained layer are frozen
    (`Output.frozen`). If `optimal_decoder`, q(y|z) of a categorical code is p(y|z) of the training
    data, computed before the first epoch and after each epoch.
    """

    optimal_decoder: bool = False

    @abstractmethod
    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        """The losses of a batch of B examples.

        The targets `y` are (B,) for one label, (B, d) for a continuous Y, or (B, T) for T tasks.
        """

    def parameters(
        self,
        latent: int,  # noqa: ARG002
        classes: Classes,  # noqa: ARG002
        target_dim: int | None,  # noqa: ARG002
    ) -> Mapping[str, Tensor]:
        """Initial values of the objective's trainable parameters; none by default.

        The parameters are trained with the decoder, and `losses` finds them in
        `output.objective_parameters`. `classes` is the number of classes, a tuple of one number for
        each task, or None for a continuous Y of dimension `target_dim`.
        """
        return {}

    def diagnostics(
        self,
        losses: Float[Tensor, "M m"],  # noqa: ARG002
        examples: int,  # noqa: ARG002
    ) -> Mapping[str, Float[Tensor, "M m"]]:
        """Additional values for the history, from the `losses` of M trials and the batch size.

        Each diagnostic has one value for each loss, or NaN for losses without a value. By default
        there are no diagnostics.
        """
        return {}


def prediction_losses(output: Output, y: Tensor) -> tuple[Scalar, ...]:
    """The decoder cross-entropy E[−log q(y_k|z)] of each task k in nats (uib section 5).

    The expectation is estimated with one sample of z for each example.
    """
    return tuple(task.nll(target).mean() for task, target in by_task(output.prediction, y))


def class_logits(prediction: Prediction, option: str) -> Float[Tensor, "B C"]:
    """The logits of q(y|z).

    Raises:
        SpecError: Y is continuous or has several tasks; the message says that `option` needs
            classes.
    """
    if isinstance(prediction, CategoricalPrediction):
        return prediction.logits
    target = "several tasks" if isinstance(prediction, TaskPredictions) else "a continuous Y"
    raise SpecError(f"objective: {option} needs classes; found {target}")


def nan_like(like: Tensor) -> Tensor:
    """NaN in the shape of `like`, for losses that have no value in `diagnostics`."""
    return torch.full_like(like, torch.nan)
