"""Aligned-MTL: the gradients are made orthogonal and equally long before they are added up.

Senushkin, Patakin, Kuznetsov, Konushin: Independent Component Alignment for Multi-Task Learning,
2023, algorithm 1. The singular values of the matrix of gradients are replaced by the smallest one.
With the Gramian G = V Λ Vᵀ and equal preferences, the weights are

    w = √λ_min V Λ^(−1/2) Vᵀ (1/m, …, 1/m).

Eigenvalues that rounding errors can explain are left out.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._gramian import GramianWeighting

# Relative rounding error of Gramians, which are computed in single precision.
_ROUNDING = torch.finfo(torch.float32).eps


class AlignedMTL(GramianWeighting):
    """The row means of √λ_min G^(−1/2).

    A weight can be negative, if a gradient is much longer than the others and points in a similar
    direction. Near a Pareto stationary point λ_min is near 0, and so is the step. An eigenvalue
    that rounding errors can explain counts as 0 and is left out, as in the published code; there
    the step jumps. If all gradients are zero, the weights are 1/m.
    """

    def solve(
        self,
        losses: Float[Tensor, "M m"],  # noqa: ARG002
        gramian: Float[Tensor, "M m m"],
        hyper: Mapping[str, Any],  # noqa: ARG002
    ) -> Float[Tensor, "M m"]:
        count = gramian.shape[-1]
        values, vectors = torch.linalg.eigh(gramian)
        kept = values > count * _ROUNDING * values[:, -1:]
        smallest = values.masked_fill(~kept, torch.inf).amin(1, keepdim=True)
        scales = torch.where(kept, (smallest / values).sqrt(), 0.0)
        weights = torch.einsum("mik,mk,mjk->mi", vectors, scales, vectors) / count
        return torch.where(kept.any(1, keepdim=True), weights, 1 / count)
