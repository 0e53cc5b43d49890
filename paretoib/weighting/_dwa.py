"""Dynamic weight average (DWA): the loss that falls more slowly gets the larger weight.

Liu, Johns, Davison: End-to-End Multi-Task Learning with Attention, 2019, eq. 7. In epoch t, loss k
of m has the weight

    λ_k(t) = m softmax(r_k(t)/T),  r_k(t) = L_k(t−1)/L_k(t−2),

where L_k(t) is the mean of loss k over the steps of epoch t. In the first two epochs r_k is 1.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._weighting import Weighting, Weights

# Limits of r_k, which is not defined for a mean loss of 0.
_LIMIT = 1e6


class DWA(Weighting):
    """Weights with the sum m, equal in the first two epochs; T is the `temperature`.

    Losses should keep their sign, because r_k is the quotient of two of them.
    """

    def state(self) -> Mapping[str, Tensor]:
        """Sums of this epoch, the means of the previous epoch (NaN in the first), and r_k."""
        return {
            "loss_sum": torch.zeros(self.loss_count),
            "steps": torch.zeros(()),
            "loss_mean": torch.full((self.loss_count,), torch.nan),
            "loss_ratio": torch.ones(self.loss_count),
        }

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,  # noqa: ARG002
        hyper: Mapping[str, Any],
    ) -> Weights:
        temperature = hyper["temperature"].to(losses).unsqueeze(1)
        ratio = hyper["loss_ratio"].to(losses)
        weights = losses.shape[1] * torch.softmax(ratio / temperature, dim=1)
        return Weights(weights, {"weight": weights})

    def after_step(
        self,
        hyper: Mapping[str, Any],
        losses: Float[Tensor, "M m"],
        new_losses: Callable[[], Float[Tensor, "M m"]],  # noqa: ARG002
    ) -> Mapping[str, Tensor]:
        """Add the losses of the step to the sums of the epoch."""
        return {"loss_sum": hyper["loss_sum"] + losses, "steps": hyper["steps"] + 1}

    def after_epoch(self, hyper: Mapping[str, Any]) -> Mapping[str, Tensor]:
        """Compute r_k for the next epoch, and start new sums."""
        last, mean = hyper["loss_mean"], hyper["loss_sum"] / hyper["steps"].unsqueeze(1)
        ratio = (mean / last).nan_to_num(1.0).clamp(-_LIMIT, _LIMIT)
        return {
            "loss_sum": torch.zeros_like(mean),
            "steps": torch.zeros_like(hyper["steps"]),
            "loss_mean": mean,
            "loss_ratio": ratio,
        }
