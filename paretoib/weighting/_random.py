"""Random loss weighting (RLW): new random weights in every step.

Lin, Ye, Zhang, Tsang: Reasonable Effectiveness of Random Weighting: A Litmus Test for Multi-Task
Learning, 2022, algorithm 2: w = softmax(ε) with standard normal ε. The expected step is that of
equal weights 1/m.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._weighting import Weighting, Weights


class RandomWeights(Weighting):
    """softmax of m standard normal numbers, drawn from the seed of the trial."""

    @property
    def noise(self) -> int:
        """One number for each loss."""
        return self.loss_count

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,  # noqa: ARG002
        hyper: Mapping[str, Any],
    ) -> Weights:
        weights = torch.softmax(hyper["noise"].to(losses), dim=1)
        return Weights(weights, {"weight": weights})
