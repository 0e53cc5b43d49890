"""MGDA: the common descent direction of all losses.

Désidéri: Multiple-gradient descent algorithm, 2012. Sener, Koltun: Multi-Task Learning as
Multi-Objective Optimization, 2018; `gradient="latent"` is their upper bound (MGDA-UB).
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._frank_wolfe import FrankWolfe
from paretoib.weighting._min_norm import min_norm_weights
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
    ) -> None:
        self.gradient = gradient
        self.over = over
        self.normalise = normalise
        self.solver = solver
        self._frank_wolfe: FrankWolfe | None = None

    def simplex_weights(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"],
        iterations: Float[Tensor, " M"],
    ) -> Float[Tensor, "M m"]:
        """The weights w* of mib eq. 8, exact or after the iterations of Frank-Wolfe."""
        # Double precision, because the gradients nearly cancel near a Pareto point.
        gramian = gramian.double()
        if self.normalise != "none":
            l2 = gramian.diagonal(dim1=1, dim2=2).sqrt()
            size = l2 if self.normalise == "l2" else losses.double().abs()
            size = size.clamp_min(torch.finfo(torch.float32).tiny)
            gramian = gramian / (size.unsqueeze(1) * size.unsqueeze(2))
        if self.solver == "closed_form":
            return min_norm_weights(gramian).to(losses)
        # A pack passes the same tensor in every step, so the tables are built once.
        if self._frank_wolfe is None or self._frank_wolfe.iterations is not iterations:
            self._frank_wolfe = FrankWolfe(iterations)
        return self._frank_wolfe(gramian).to(losses)

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,
        hyper: Mapping[str, Any],
    ) -> Weights:
        assert gramian is not None
        weights = self.simplex_weights(losses, gramian, hyper["iterations"])
        return Weights(weights, {"weight": weights})
