"""MIB: min-norm weights, raised to a power, with Smooth-IB.

Exploring Complex Trade-offs in Information Bottleneck through Multi-Objective Optimization,
eqs 7–14. The losses of any objective can replace the paper's L_pred and L_info.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._mgda import MGDA
from paretoib.weighting._weighting import Weights


class MIB(MGDA):
    """The weight of loss L_i is (1 + α_i) w̃_i, with w̃ = w*^(1+√sqrted) and α = softmax(w̃ L/μ).

    w* are the min-norm weights. The min in eq. 13 cancels between the two terms of that equation.
    Because the weights are treated as constants, eq. 14 only reweights the gradients, without
    another backward pass. Figure 5 has two ablations: `adaptive=False` sets w* to 1/m for m losses,
    and `smooth=False` sets α to 0.
    """

    def __init__(self, *, adaptive: bool, smooth: bool, **mgda: Any) -> None:
        super().__init__(**mgda)
        self.adaptive = adaptive
        self.smooth = smooth
        if not adaptive:
            self.gradient = "none"

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,
        hyper: Mapping[str, Any],
    ) -> Weights:
        if self.adaptive:
            assert gramian is not None
            weights = self.simplex_weights(losses, gramian)
        else:
            weights = torch.full_like(losses, 1 / losses.shape[1])
        power = 1 + hyper["sqrted"].to(losses).sqrt().unsqueeze(1)
        powered = weights**power
        log = {"weight": weights, "weight_powered": powered}
        if not self.smooth:
            return Weights(powered, log)
        alpha = torch.softmax(powered * losses / hyper["mu"].to(losses).unsqueeze(1), dim=1)
        return Weights((1 + alpha) * powered, {**log, "alpha": alpha})
