"""Linear scalarisation: the IB Lagrangian prediction + β · compression."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._weighting import Weighting, Weights


class Linear(Weighting):
    """Weight 1 on each prediction loss, β on each other loss."""

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,  # noqa: ARG002
        hyper: Mapping[str, Any],
    ) -> Weights:
        ones = torch.ones_like(losses[:, : self.prediction_count])
        return Weights(with_beta(ones, losses, hyper["beta"]))


def with_beta(
    predictions: Float[Tensor, "M n"], losses: Float[Tensor, "M m"], beta: Float[Tensor, " M"]
) -> Float[Tensor, "M m"]:
    """Append β for each other loss to the weights of n prediction losses."""
    others = losses.shape[1] - predictions.shape[1]
    return torch.cat([predictions, beta.to(losses).unsqueeze(1).expand(-1, others)], dim=1)


class TaskWeights(Linear):
    """A fixed weight on each task's prediction, β on each other loss (mtvib's grid search, GS).

    If a task has several prediction losses, one after another, all of them get its weight.
    """

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,
        hyper: Mapping[str, Any],
    ) -> Weights:
        weights = hyper["task_weights"].to(losses)
        if not weights.shape[1]:
            return super().__call__(losses, gramian, hyper)
        weights = weights.repeat_interleave(self.prediction_count // weights.shape[1], dim=1)
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
