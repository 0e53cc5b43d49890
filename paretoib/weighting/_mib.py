"""MIB: min-norm weights, raised to a power, with Smooth-IB.

Exploring Complex Trade-offs in Information Bottleneck through Multi-Objective Optimization,
eqs 7–14. The losses of any objective can replace the paper's L_pred and L_info.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._linear import Linear
from paretoib.weighting._mgda import MGDA
from paretoib.weighting._weighting import Weights


class MIB(MGDA):
    """The weight of loss L_i is (1 + α_i) w̃_i, with w̃ = w*^(1+√sqrted) and α = softmax(w̃ L/μ).

    w* are the weights of mib eq. 8. The paper iterates Frank-Wolfe "until convergence or the
    maximum number of iterations", and gives neither; the number of iterations decides where
    training ends (see `_frank_wolfe`). `smooth=False`, an ablation of figure 5, sets α to 0.
    """

    def __init__(self, *, smooth: bool, **mgda: Any) -> None:
        super().__init__(**mgda)
        self.smooth = smooth

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,
        hyper: Mapping[str, Any],
    ) -> Weights:
        assert gramian is not None
        weights = self.simplex_weights(losses, gramian, hyper["iterations"])
        power = 1 + hyper["sqrted"].to(losses).sqrt().unsqueeze(1)
        powered = weights**power
        log = {"weight": weights, "weight_powered": powered}
        if not self.smooth:
            return Weights(powered, log)
        alpha = smooth_ib(powered, losses, hyper["mu"])
        return Weights((1 + alpha) * powered, {**log, "alpha": alpha})


class SmoothLinear(Linear):
    """Hand-set weights w̃ = (1, β) with Smooth-IB: MIB without adaptive weights (mib figure 5)."""

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,
        hyper: Mapping[str, Any],
    ) -> Weights:
        weights = super().__call__(losses, gramian, hyper).step
        alpha = smooth_ib(weights, losses, hyper["mu"])
        return Weights((1 + alpha) * weights, {"alpha": alpha})


def smooth_ib(
    weights: Float[Tensor, "M m"], losses: Float[Tensor, "M m"], mu: Float[Tensor, " M"]
) -> Float[Tensor, "M m"]:
    """α of mib eq. 14: the step of the Smooth-IB loss is Σ_i (1 + α_i) w̃_i ∇L_i.

    The min in eq. 13 cancels between the two terms of that equation. The weights are constants, so
    eq. 14 only reweights the gradients, without another backward pass.
    """
    return torch.softmax(weights * losses / mu.to(losses).unsqueeze(1), dim=1)
