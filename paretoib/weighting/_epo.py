"""EPO search: descent to the Pareto point on a ray of preferences, for two losses.

Mahapatra, Rajan: Multi-Task Learning with User Preferences: Gradient Descent with Controlled Ascent
in Pareto Optimization, 2020. The preferences r choose the Pareto point with r_1 L_1 = r_2 L_2. With
the shares p = r L/Σ r L, the distance from the ray is the KL divergence μ = Σ p_i log(m p_i), and
its anchor is a_i = r_i (log(m p_i) − μ). The weights w on the simplex solve a linear program with
the Gramian C:

- away from the ray, μ > 1e-4 (balance): max ⟨w, C a⟩. If some (C a)_i > 0, the constraints are
  (C w)_i ≥ 0 for the largest r_i L_i, and (C w)_i ≥ (C a)_i for each other i with (C a)_i ≤ 0.
  Otherwise no loss may increase: C w ≥ 0.
- on the ray (descent): max Σ_i (C w)_i, with C w ≥ 0 and ⟨w, C a⟩ ≥ min(0, max_i (C a)_i). If this
  is infeasible, the last constraint is left out, as in the published code (`relax`).
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from paretoib.weighting._gramian import GramianWeighting
from paretoib.weighting._min_norm import min_norm_weights

_ON_RAY = 1e-4
_SMALLEST = 1e-12


class EPO(GramianWeighting):
    """r is (λ, 1 − λ) for the `preference` λ; one nat of prediction counts as `scale` other nats.

    For two losses w = (t, 1 − t), so every constraint bounds t, and the optimum is an end of the
    interval of feasible t. The min-norm weights are feasible. Losses below 0 count as 0.
    """

    def __init__(self, *, scale: float, **where: Any) -> None:
        super().__init__(**where)
        self.scale = scale

    def solve(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"],
        hyper: Mapping[str, Any],
    ) -> Float[Tensor, "M m"]:
        unit = torch.tensor([1.0, self.scale]).to(losses)
        share = hyper["preference"].to(losses)
        preference = torch.stack([share, 1 - share], dim=1)
        scaled = gramian / (unit.unsqueeze(1) * unit)
        return exact_pareto_weights(losses / unit, scaled, preference) / unit


def exact_pareto_weights(
    losses: Float[Tensor, "M 2"], gramian: Float[Tensor, "M 2 2"], preference: Float[Tensor, "M 2"]
) -> Float[Tensor, "M 2"]:
    """The solution of the linear program; the min-norm weights if its objective is constant."""
    weighted = preference * losses.clamp_min(_SMALLEST)
    log_share = (2 * weighted / weighted.sum(1, keepdim=True)).log()
    distance = (log_share.exp() / 2 * log_share).sum(1)
    anchor = preference * (log_share - distance.unsqueeze(1))
    pull = (gramian @ anchor.unsqueeze(2)).squeeze(2)
    balance = distance > _ON_RAY

    # Bounds on C w in balance. −inf: no bound.
    largest = weighted == weighted.amax(1, keepdim=True)
    free = torch.where(pull > 0, -torch.inf, pull).masked_fill(largest, 0.0)
    pulled = (pull > 0).any(1, keepdim=True)
    lower = torch.where(balance.unsqueeze(1) & pulled, free, 0.0)
    middle = min_norm_weights(gramian)[:, 0]
    bounds = [_bounds(gramian[:, i], lower[:, i]) for i in range(2)]
    low = torch.stack([b[0] for b in bounds]).amax(0).minimum(middle)
    high = torch.stack([b[1] for b in bounds]).amin(0).maximum(middle)

    # On the ray, the anchor also bounds t, unless no feasible t satisfies this bound.
    floor = torch.where(balance, -torch.inf, pull.amax(1).clamp_max(0))
    anchored = _bounds(pull, floor)
    within = (low.maximum(anchored[0]), high.minimum(anchored[1]))
    possible = within[0] <= within[1]
    low, high = torch.where(possible, within[0], low), torch.where(possible, within[1], high)

    aim = torch.where(balance.unsqueeze(1), pull, gramian.sum(1))
    slope = aim[:, 0] - aim[:, 1]
    first = torch.where(slope > 0, high, torch.where(slope < 0, low, middle))
    return torch.stack([first, 1 - first], dim=1)


def _bounds(
    row: Float[Tensor, "M 2"], lower: Float[Tensor, " M"]
) -> tuple[Float[Tensor, " M"], Float[Tensor, " M"]]:
    """The interval of t in [0, 1] with t row_1 + (1 − t) row_2 ≥ lower; empty if low > high."""
    slope, rest = row[:, 0] - row[:, 1], lower - row[:, 1]
    limit = rest / torch.where(slope == 0, 1.0, slope)
    impossible: Bool[Tensor, " M"] = (slope == 0) & (rest > 0)
    low = torch.where(slope > 0, limit, 0.0).clamp_min(0).masked_fill(impossible, 1.0)
    high = torch.where(slope < 0, limit, 1.0).clamp_max(1).masked_fill(impossible, 0.0)
    return low, high
