"""FAMO: weights with which the logarithms of all losses fall equally fast.

Liu, Feng, Stone, Liu: FAMO: Fast Adaptive Multitask Optimization, 2023, algorithm 2. With logits ξ
and z = softmax(ξ), the step is the gradient of Σ_i z_i log L_i, scaled so that the weights of the
∇L_i have the sum 1: w_i ∝ z_i/L_i. After the step, the losses L' of the same batch are computed
again, and Adam with step size α and decay γ makes a step on ξ with the gradient

    δ = Jᵀ (log L − log L'),  J = ∂z/∂ξ = diag(z) − z zᵀ.

A loss that fell by a smaller factor gets a larger weight.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._weighting import Weighting, Weights

# The published code adds this number to each loss. A loss below 0 counts as 0.
_SMALLEST = 1e-8
# torch's defaults for Adam.
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


class FAMO(Weighting):
    """α is `logit_step`, γ is `logit_decay`.

    Losses should be positive, because their logarithms are compared. In training mode, the second
    forward pass of a step also updates batch norm's statistics and draws new dropout masks.
    """

    def __init__(self, *, logit_step: float, logit_decay: float) -> None:
        self.logit_step = logit_step
        self.logit_decay = logit_decay

    def state(self) -> Mapping[str, Tensor]:
        """The logits ξ, and Adam's moments and number of steps."""
        return {
            "logits": torch.zeros(self.loss_count),
            "first_moment": torch.zeros(self.loss_count),
            "second_moment": torch.zeros(self.loss_count),
            "steps": torch.zeros(()),
        }

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,  # noqa: ARG002
        hyper: Mapping[str, Any],
    ) -> Weights:
        logits = hyper["logits"].to(losses)
        weights = torch.softmax(logits - _log(losses), dim=1)
        return Weights(weights, {"weight": weights})

    def after_step(
        self,
        hyper: Mapping[str, Any],
        losses: Float[Tensor, "M m"],
        new_losses: Callable[[], Float[Tensor, "M m"]],
    ) -> Mapping[str, Tensor]:
        """A step of Adam on the logits, as in torch, with a number of steps for each trial."""
        logits, steps = hyper["logits"], hyper["steps"] + 1
        z = torch.softmax(logits, dim=1)
        fall = _log(losses) - _log(new_losses())
        slope = z * (fall - (z * fall).sum(1, keepdim=True)) + self.logit_decay * logits
        first = torch.lerp(hyper["first_moment"], slope, 1 - _BETA1)
        second = torch.lerp(hyper["second_moment"], slope.square(), 1 - _BETA2)
        mean = first / (1 - _BETA1**steps).unsqueeze(1)
        variance = second / (1 - _BETA2**steps).unsqueeze(1)
        return {
            "logits": logits - self.logit_step * mean / (variance.sqrt() + _EPSILON),
            "first_moment": first,
            "second_moment": second,
            "steps": steps,
        }


def _log(losses: Float[Tensor, "M m"]) -> Float[Tensor, "M m"]:
    return (losses.clamp_min(0) + _SMALLEST).log()
