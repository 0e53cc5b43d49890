"""CAGrad: the direction near the mean gradient that helps the worst loss most.

Liu, Liu, Jin, Stone, Liu: Conflict-Averse Gradient Descent for Multi-task Learning, 2021. With the
mean gradient g_0, the step is max_d min_i ⟨g_i, d⟩ subject to ‖d − g_0‖ ≤ c ‖g_0‖. The dual problem
(the paper's algorithm 1) is

    min_w  ⟨g_w, g_0⟩ + c ‖g_0‖ ‖g_w‖  over the simplex, with g_w = Σ w_i g_i,

and the step is d = g_0 + c ‖g_0‖ g_w/‖g_w‖. For 0 ≤ c < 1 the mean loss converges.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._gramian import GramianWeighting, subsets


class CAGrad(GramianWeighting):
    """Weight 1/m + c ‖g_0‖ w_i/‖g_w‖ on each of m losses.

    If g_w is zero, as with a gradient that is zero, the weights are 1/m: the step is g_0.
    """

    def solve(
        self,
        losses: Float[Tensor, "M m"],  # noqa: ARG002
        gramian: Float[Tensor, "M m m"],
        hyper: Mapping[str, Any],
    ) -> Float[Tensor, "M m"]:
        mean = gramian.mean((1, 2)).clamp_min(0).sqrt()
        radius = hyper["c"].to(gramian) * mean
        weights = dual_weights(gramian, radius)
        norm = torch.einsum("mi,mij,mj->m", weights, gramian, weights).clamp_min(0).sqrt()
        factor = torch.where(norm > 1e-8 * mean, radius / norm, 0.0)
        return 1 / gramian.shape[-1] + factor.unsqueeze(1) * weights


def dual_weights(
    gramian: Float[Tensor, "M m m"], radius: Float[Tensor, " M"]
) -> Float[Tensor, "M m"]:
    """The weights w on the simplex with the smallest ⟨g_w, g_0⟩ + r ‖g_w‖, for a radius r."""
    radius = radius.clamp_min(1e-100)
    return _two_losses(gramian, radius) if gramian.shape[-1] == 2 else best_face(gramian, radius)


def _two_losses(
    gramian: Float[Tensor, "M 2 2"], radius: Float[Tensor, " M"]
) -> Float[Tensor, "M 2"]:
    """The closed form of `best_face`: on a line, x and S are numbers."""
    g11, g12, g22 = gramian[:, 0, 0], gramian[:, 0, 1], gramian[:, 1, 1]
    slope, distance = (g11 - g22) / 2, g11 + g22 - 2 * g12
    shortest = (g11 * g22 - g12.square()).clamp_min(0) / distance
    share = 1 - slope.square() / distance / radius.square()
    stationary = (g22 - g12 - slope * (shortest / share).sqrt() / radius) / distance
    first = torch.where(share > 0, stationary, (slope < 0).to(slope)).clamp(0, 1)
    first = torch.where(distance > 0, first, 0.5)
    return torch.stack([first, 1 - first], dim=1)


def best_face(gramian: Float[Tensor, "M m m"], radius: Float[Tensor, " M"]) -> Float[Tensor, "M m"]:
    """The best of the stationary points of the 2^m − 1 faces of the simplex.

    Let o be the shortest vector in the plane of a face, with weights w_o, and b_i = ⟨g_i, g_0⟩. On
    the plane w = w_o + x, and ‖g_w‖² = ‖o‖² + xᵀ S x, where S is the Gramian restricted to
    directions x within the face. Then x = −(‖g_w‖/r) S⁺ b is stationary, with
    ‖g_w‖² = ‖o‖²/(1 − bᵀ S⁺ b/r²). There is no stationary point if bᵀ S⁺ b ≥ r².
    """
    inside = subsets(gramian.shape[-1], gramian.device)[1:]
    equal = inside / inside.sum(1, keepdim=True)
    # The projection onto the directions within a face, whose components have the sum 0.
    within = torch.diag_embed(inside) - inside.unsqueeze(2) * equal.unsqueeze(1)
    # Eigenvalues count as zero if rounding errors can explain them.
    relative = 10 * gramian.shape[-1] * torch.finfo(gramian.dtype).eps
    rounding = relative * gramian.diagonal(dim1=1, dim2=2).amax(1, keepdim=True)
    restricted = within @ gramian.unsqueeze(1) @ within
    inverse = within @ torch.linalg.pinv(restricted, atol=rounding, hermitian=True) @ within
    slopes = gramian.mean(2)
    shortest = equal - torch.einsum("msij,mjk,sk->msi", inverse, gramian, equal)
    direction = torch.einsum("msij,mj->msi", inverse, slopes)
    curved = torch.einsum("msi,mi->ms", direction, slopes).clamp_min(0)
    share = 1 - curved / radius.square().unsqueeze(1)
    length = (_squared_norms(gramian, shortest) / share).sqrt() / radius.unsqueeze(1)
    candidates = torch.where(
        (share > 0).unsqueeze(2), shortest - length.unsqueeze(2) * direction, shortest
    )
    values = torch.einsum("msi,mi->ms", candidates, slopes)
    values = values + radius.unsqueeze(1) * _squared_norms(gramian, candidates).sqrt()
    infeasible = (candidates < 0).any(2)
    best = values.masked_fill(infeasible, torch.inf).argmin(1)
    return candidates[torch.arange(len(gramian)), best]


def _squared_norms(
    gramian: Float[Tensor, "M m m"], weights: Float[Tensor, "M S m"]
) -> Float[Tensor, "M S"]:
    return torch.einsum("msi,mij,msj->ms", weights, gramian, weights).clamp_min(0)
