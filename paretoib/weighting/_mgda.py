"""MGDA: the common descent direction of all losses.

Désidéri: Multiple-gradient descent algorithm, 2012. Sener, Koltun: Multi-Task Learning as
Multi-Objective Optimization, 2018; `gradient="latent"` is their upper bound (MGDA-UB).
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._min_norm import frank_wolfe_weights, min_norm_weights
from paretoib.weighting._weighting import Weighting, Weights


class MGDA(Weighting):
    """Min-norm weights on the simplex (mib eqs 7–11).

    `normalise` divides each gradient by its norm ("l2") or by its loss ("loss") before the weights
    are computed. The weights then multiply the unnormalised gradients, as in Sener and Koltun's
    code.
    """

    def __init__(
        self,
        *,
        gradient: Literal["parameters", "latent"],
        over: Literal["shared", "all"],
        normalise: Literal["none", "l2", "loss"],
        solver: Literal["closed_form", "frank_wolfe"],
        iterations: int,
    ) -> None:
        self.gradient = gradient
        self.over = over
        self.normalise = normalise
        self.solver = solver
        self.iterations = iterations

    def simplex_weights(
        self, losses: Float[Tensor, "M m"], gramian: Float[Tensor, "M m m"]
    ) -> Float[Tensor, "M m"]:
        """The min-norm weights w* of mib eq. 8."""
        # Double precision, because the gradients nearly cancel near a Pareto point.
        gramian = gramian.double()
        if self.normalise != "none":
            l2 = gramian.diagonal(dim1=1, dim2=2).sqrt()
            size = l2 if self.normalise == "l2" else losses.double().abs()
            size = size.clamp_min(torch.finfo(torch.float32).tiny)
            gramian = gramian / (size.unsqueeze(1) * size.unsqueeze(2))
        if self.solver == "closed_form":
            weights = min_norm_weights(gramian)
        else:
            weights = frank_wolfe_weights(gramian, self.iterations)
        return weights.to(losses)

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,
        hyper: Mapping[str, Any],  # noqa: ARG002
    ) -> Weights:
        assert gramian is not None
        weights = self.simplex_weights(losses, gramian)
        return Weights(weights, {"weight": weights})
