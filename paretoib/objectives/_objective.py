"""The contract of an objective."""

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

    An implementer guarantees that `losses` returns one scalar for each name in its row's
    `losses`, in that order, `prediction` first and of several tasks one each; that it is
    differentiable and free of Python branches on tensors' values (it runs under `vmap`); that it
    draws nothing at random; and that it knows nothing of β, of optimisers or of Ray.
    Hyperparameters that its row marks `per_trial` come in `hyper` as scalar tensors; the others
    were given to the constructor.

    One whose row is `greedy` trains a network's binary layers one after another, from the first
    on, each in its share of the epochs; those below are frozen (`Output.frozen`). One with an
    `optimal_decoder` has for q(y|z) of a categorical code what the training data say, from the
    start on and anew after each epoch.
    """

    optimal_decoder: bool = False

    @abstractmethod
    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        """The losses of one batch: `output` of B examples, targets `y` (B,), (B, d) or (B, T)."""

    def parameters(
        self,
        latent: int,  # noqa: ARG002
        classes: Classes,  # noqa: ARG002
        target_dim: int | None,  # noqa: ARG002
    ) -> Mapping[str, Tensor]:
        """What the objective itself has to learn, as it starts; by default nothing.

        They are kept and trained with the decoder, and come to `losses` as `output.own`.
        `classes` is one number a task, or None for a continuous Y, of dimension `target_dim`.
        """
        return {}

    def watch(
        self,
        losses: Float[Tensor, "M m"],  # noqa: ARG002
        examples: int,  # noqa: ARG002
    ) -> Mapping[str, Float[Tensor, "M m"]]:
        """What a history keeps beside the `losses` of M trials in a batch of `examples`.

        One value a loss, NaN for a loss that has none; by default nothing.
        """
        return {}


def prediction_losses(output: Output, y: Tensor) -> tuple[Scalar, ...]:
    """E[−log q(y_k|z)] in nats of each task, one sample of z.

    The decoder cross-entropy (uib section 5).
    """
    return tuple(task.nll(target).mean() for task, target in by_task(output.prediction, y))


def class_logits(prediction: Prediction, what: str) -> Float[Tensor, "B C"]:
    """The logits of q(y|z); a `SpecError` that names `what` needs them, where Y has no classes."""
    if isinstance(prediction, CategoricalPrediction):
        return prediction.logits
    found = "several tasks" if isinstance(prediction, TaskPredictions) else "a continuous Y"
    raise SpecError(f"objective: {what} needs classes; found {found}")


def no_loss(like: Tensor) -> Tensor:
    """What `watch` has for a loss of which there is nothing to say."""
    return torch.full_like(like, torch.nan)
