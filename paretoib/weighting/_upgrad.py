"""UPGrad: the mean of the gradients, each projected onto the dual cone of all gradients.

Quinton, Rey: Jacobian Descent for Multi-Objective Optimization, 2024. The dual cone holds the
directions d with ⟨g_j, d⟩ ≥ 0 for all j, which increase no loss. By proposition 1 of the paper, the
projection of g_i is Σ_j v_j g_j, where v minimises vᵀ G v subject to v ≥ e_i.

For two losses, each projection is that of Yu et al.: Gradient Surgery for Multi-Task Learning
(PCGrad), 2020, which removes from g_i its component against g_j. PCGrad adds the projections up;
UPGrad takes their mean, which has the same direction.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._gramian import GramianWeighting, gradient_norms, subsets


class UPGrad(GramianWeighting):
    """Weight (1/m) Σ_i v_ij on loss j, where v_i holds the weights of the projection of g_i."""

    def solve(
        self,
        losses: Float[Tensor, "M m"],  # noqa: ARG002
        gramian: Float[Tensor, "M m m"],
        hyper: Mapping[str, Any],  # noqa: ARG002
    ) -> Float[Tensor, "M m"]:
        # The projection of a unit gradient, as a combination of unit gradients, is independent of
        # all norms.
        norms = gradient_norms(gramian)
        cosines = gramian / (norms.unsqueeze(1) * norms.unsqueeze(2))
        added = _two_losses(cosines) if gramian.shape[-1] == 2 else _added(cosines)
        shares = added * norms.unsqueeze(2) / norms.unsqueeze(1)
        return (1 + shares.sum(1)) / gramian.shape[-1]


def _two_losses(cosines: Float[Tensor, "M 2 2"]) -> Float[Tensor, "M 2 2"]:
    """The closed form of `_added`: −cos φ if the gradients point against each other."""
    return (-cosines).clamp_min(0) * (1 - torch.eye(2).to(cosines))


def _added(cosines: Float[Tensor, "M m m"]) -> Float[Tensor, "M m m"]:
    """The weights s_ij ≥ 0 of u_j in the projection u_i + Σ_j s_ij u_j of each unit gradient u_i.

    The projection is orthogonal to the gradients of a set A and has s_ij = 0 outside of A. A is not
    known, so the linear system is solved for each of the 2^m sets. The result is the solution with
    s ≥ 0 that has the shortest projection.
    """
    trials, count = cosines.shape[:2]
    inside = subsets(count, cosines.device)
    pairs = inside.unsqueeze(1) * inside.unsqueeze(2)
    rounding = 10 * count * torch.finfo(cosines.dtype).eps
    inverse = torch.linalg.pinv(pairs * cosines.unsqueeze(1), atol=rounding, hermitian=True)
    # (M, S, j, i): in set S, the weight of u_j in the projection of u_i.
    candidates = -((pairs * inverse) @ cosines.unsqueeze(1))
    combined = candidates + torch.eye(count).to(cosines)
    norms = torch.einsum("mski,mkl,msli->msi", combined, cosines, combined)
    infeasible = (candidates < 0).any(2)
    best = norms.masked_fill(infeasible, torch.inf).argmin(1)
    index = best.view(trials, 1, 1, count).expand(-1, -1, count, -1)
    return candidates.gather(1, index).squeeze(1).mT
