"""Linear scalarisation: the IB Lagrangian prediction + β · compression."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._weighting import Weighting, Weights


class Linear(Weighting):
    """Weight 1 on the first loss (prediction), β on each of the others."""

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,  # noqa: ARG002
        hyper: Mapping[str, Any],
    ) -> Weights:
        beta = hyper["beta"].to(losses).unsqueeze(1).expand(-1, losses.shape[1] - 1)
        return Weights(torch.cat([torch.ones_like(losses[:, :1]), beta], dim=1))


class Unweighted(Weighting):
    """Weight 1 on everything; for an objective of one loss."""

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,  # noqa: ARG002
        hyper: Mapping[str, Any],  # noqa: ARG002
    ) -> Weights:
        return Weights(torch.ones_like(losses))
