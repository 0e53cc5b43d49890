"""Linear scalarisation: the IB Lagrangian prediction + β · compression."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._weighting import Weighting, Weights


class Linear(Weighting):
    """Weight 1 on the prediction of each task, β on each other loss."""

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,  # noqa: ARG002
        hyper: Mapping[str, Any],
    ) -> Weights:
        return Weights(with_beta(torch.ones_like(losses[:, : self.tasks]), losses, hyper["beta"]))


def with_beta(
    predictions: Float[Tensor, "M T"], losses: Float[Tensor, "M m"], beta: Float[Tensor, " M"]
) -> Float[Tensor, "M m"]:
    """Append β for each other loss to the weights of the predictions of T tasks."""
    others = losses.shape[1] - predictions.shape[1]
    return torch.cat([predictions, beta.to(losses).unsqueeze(1).expand(-1, others)], dim=1)


class TaskWeights(Linear):
    """A fixed weight on each task's prediction, β on each other loss (mtvib's grid search, GS)."""

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,
        hyper: Mapping[str, Any],
    ) -> Weights:
        weights = hyper["task_weights"].to(losses)
        if not weights.shape[1]:
            return super().__call__(losses, gramian, hyper)
        return Weights(with_beta(weights, losses, hyper["beta"]))


class Unweighted(Weighting):
    """Weight 1 on every loss, for objectives that have prediction losses only."""

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,  # noqa: ARG002
        hyper: Mapping[str, Any],  # noqa: ARG002
    ) -> Weights:
        return Weights(torch.ones_like(losses))
