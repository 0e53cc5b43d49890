"""The sum of the unit gradients, Σ g_i/‖g_i‖.

For two losses, the direction is that of two published methods:

- Navon et al.: Multi-Task Learning as a Bargaining Game (Nash-MTL), 2022, whose weights solve
  G w = 1/w: w_i = 1/(‖g_i‖ √(1 + cos φ)), where φ is the angle between the gradients.
- Liu, Li, Kuang, Xue, Chen, Yang, Liao, Zhang: Towards Impartial Multi-task Learning (IMTL-G),
  2021, whose step has equal projections onto all unit gradients: w_i ∝ 1/‖g_i‖.

For more losses, the sum of the unit gradients is neither of them: its projections onto the unit
gradients differ, and it does not solve G w = 1/w.
"""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._gramian import GramianWeighting, gradient_norms


class UnitSum(GramianWeighting):
    """Weight 1/‖g_i‖ on each loss.

    A norm counts as at least 1e-6 of the largest norm, so weights are finite if a gradient is zero.
    If all gradients are zero, all weights are 1.
    """

    def solve(
        self,
        losses: Float[Tensor, "M m"],  # noqa: ARG002
        gramian: Float[Tensor, "M m m"],
        hyper: Mapping[str, Any],  # noqa: ARG002
    ) -> Float[Tensor, "M m"]:
        return 1 / gradient_norms(gramian)
