"""An objective whose compression loss is the p-th power of the p-norm of the code.

With p = 2 it equals the objective `l2`. With p near 1, more dimensions of the code are close to 0.
"""

from torch import Tensor

from paretoib.distributions import Output
from paretoib.objectives import Hyper, Objective, Scalar, prediction_losses


class LP(Objective):
    """Losses: prediction, and compression = E Σ_i |Z_i|^p with p = `power`."""

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        # The lower limit is above 0, because the derivative with respect to p contains log |z|.
        size = output.z.abs().clamp_min(1e-12).pow(hyper["power"])
        return *prediction_losses(output, y), size.sum(-1).mean()
