"""The shortest vector in the convex hull of m gradients, computed from their Gramian.

min ‖Σ w_i g_i‖² over the simplex (mib eq. 8; Désidéri 2012), for M Gramians at once.
"""

from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor


def min_norm_weights(gramian: Float[Tensor, "M m m"]) -> Float[Tensor, "M m"]:
    """The exact min-norm weights.

    With g_ij = ⟨g_i, g_j⟩, two losses have w_1 = clip((g_22 − g_12)/(g_11 + g_22 − 2 g_12), 0, 1),
    or ½ if both gradients are equal. For more losses, the KKT conditions are a linear system on
    each face of the simplex, and the best of the 2^m − 1 faces is chosen.

    A Gramian that is not finite gives NaN weights, with one exception: two losses of which only
    g_11 is infinite have the weights (0, 1).
    """
    if gramian.shape[-1] == 2:
        return _two_losses(gramian)
    # `pinv` in `_on_faces` uses an eigensolver that reads only one triangle of each matrix, and
    # that fails for all trials if one Gramian is not finite.
    finite = gramian.isfinite().flatten(1).all(1)
    gramian = torch.where(finite[:, None, None], (gramian + gramian.mT) / 2, 0)
    losses = gramian.shape[-1]
    # The whole simplex comes first: of equally good faces, the one with more losses is chosen.
    candidates = torch.cat([_on_faces(gramian, size) for size in range(losses, 0, -1)], dim=1)
    norms = torch.einsum("mfi,mij,mfj->mf", candidates, gramian, candidates)
    infeasible = (candidates < 0).any(-1)
    best = norms.masked_fill(infeasible, torch.inf).argmin(1)
    weights = candidates[torch.arange(len(gramian)), best]
    return weights.masked_fill(~finite.unsqueeze(1), torch.nan)


def stationary_weight(gramian: Float[Tensor, "M 2 2"]) -> Float[Tensor, " M"]:
    """The x that minimises ‖x g_1 + (1 − x) g_2‖² on the whole line; NaN if g_1 = g_2."""
    g11, g12, g22 = gramian[:, 0, 0], gramian[:, 0, 1], gramian[:, 1, 1]
    distance = g11 + g22 - 2 * g12
    return torch.where(distance > 0, (g22 - g12) / distance, torch.nan)


def _two_losses(gramian: Float[Tensor, "M 2 2"]) -> Float[Tensor, "M 2"]:
    first = stationary_weight(gramian).clamp(0, 1)
    # Equal gradients have weights ½. The weights of a diverged trial must stay NaN.
    equal = first.isnan() & gramian.isfinite().flatten(1).all(1)
    first = first.masked_fill(equal, 0.5)
    return torch.stack([first, 1 - first], dim=1)


def _on_faces(gramian: Float[Tensor, "M m m"], size: int) -> Float[Tensor, "M F m"]:
    """For each face of `size` losses, the stationary point that is nearest to equal weights.

    Let e be the equal weights and P the projection onto the directions within the face, whose
    components have the sum 0. Then w = e + P u and P G P u = −P G e. Therefore Σw = 1 holds
    exactly, at any scale of the gradients.
    """
    trials, losses = gramian.shape[:2]
    faces = torch.tensor([*combinations(range(losses), size)], device=gramian.device)
    inner = gramian[:, faces.unsqueeze(2), faces.unsqueeze(1)]
    along = torch.eye(size).to(inner) - 1 / size
    # Differences between gradients count as zero if rounding errors can explain them.
    rounding = 10 * size * torch.finfo(inner.dtype).eps * inner.diagonal(dim1=2, dim2=3).amax(2)
    inverse = torch.linalg.pinv(along @ inner @ along, atol=rounding, hermitian=True)
    on_face = 1 / size - (inverse @ along @ inner).mean(-1)
    weights = torch.zeros(trials, len(faces), losses).to(gramian)
    return weights.scatter(2, faces.expand(trials, -1, -1), on_face)
