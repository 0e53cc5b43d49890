"""The base class of weightings that are functions of the Gramian."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._weighting import Weighting, Weights


class GramianWeighting(Weighting):
    """Computes the weights of M trials from their Gramians, in double precision.

    A subclass implements `solve` for Gramians that are finite and symmetric. A trial whose Gramian
    is not finite gets NaN weights: an eigensolver that gets such a Gramian fails for all trials.
    """

    def __init__(
        self, *, gradient: Literal["parameters", "latent"], over: Literal["shared", "all"]
    ) -> None:
        self.gradient = gradient
        self.over = over

    @abstractmethod
    def solve(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"],
        hyper: Mapping[str, Any],
    ) -> Float[Tensor, "M m"]:
        """The weights; the arguments are those of `Weighting.__call__`, in double precision."""

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,
        hyper: Mapping[str, Any],
    ) -> Weights:
        assert gramian is not None
        finite = gramian.isfinite().flatten(1).all(1)
        double = torch.where(finite[:, None, None], gramian.double(), 1.0)
        weights = self.solve(losses.double(), (double + double.mT) / 2, hyper).to(losses)
        weights = weights.masked_fill(~finite.unsqueeze(1), torch.nan)
        return Weights(weights, {"weight": weights})


def gradient_norms(gramian: Float[Tensor, "M m m"]) -> Float[Tensor, "M m"]:
    """‖g_i‖, at least 1e-6 of the largest norm; 1 for each loss if all gradients are zero.

    With this limit, the quotient of two norms stays in the range of single precision.
    """
    norms = gramian.diagonal(dim1=1, dim2=2).clamp_min(0).sqrt()
    norms = norms.maximum(1e-6 * norms.amax(1, keepdim=True))
    return torch.where(norms > 0, norms, 1.0)


def subsets(count: int, device: torch.device) -> Float[Tensor, "S m"]:
    """All 2^m subsets of m losses as rows of zeros and ones, the empty set first."""
    bits = torch.arange(count, device=device)
    rows = torch.arange(2**count, device=device).unsqueeze(1) >> bits & 1
    return rows.double()
