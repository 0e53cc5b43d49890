"""Smooth Chebyshev scalarisation: a smooth maximum of the losses, weighted by preference.

Lin, Zhang, Yang, Liu, Wang, Zhang: Smooth Tchebycheff Scalarization for Multi-Objective
Optimization, 2024: μ log Σ_i exp(λ_i f_i/μ), whose gradient is Σ_i λ_i α_i ∇f_i with
α = softmax(λ f/μ). For small μ each preference λ selects the point of the front where all λ_i f_i
are equal, also on concave and flat parts.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._weighting import Weighting, Weights


class SmoothChebyshev(Weighting):
    """λ is the `preference` for each prediction loss; the other losses share 1 − λ equally.

    The ideal value of every loss f is 0. The unit of f is 1 nat for prediction and `scale` nats for
    the other losses.
    """

    def __init__(self, *, mu: float, scale: float) -> None:
        self.mu = mu
        self.scale = scale

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,  # noqa: ARG002
        hyper: Mapping[str, Any],
    ) -> Weights:
        preference = hyper["preference"].to(losses).unsqueeze(1)
        others = losses.shape[1] - self.prediction_count
        share = ((1 - preference) / (others * self.scale)).expand(-1, others)
        scaled = torch.cat([preference.expand(-1, self.prediction_count), share], dim=1)
        alpha = torch.softmax(scaled * losses / self.mu, dim=1)
        return Weights(scaled * alpha, {"alpha": alpha})
