"""An objective: the p-th power of the code's p-norm.

With p = 2 it is uib's `l2`; towards p = 1 it leaves more dimensions at 0.
"""

from torch import Tensor

from paretoib.distributions import Output
from paretoib.objectives import Hyper, Objective, Scalar, prediction_losses


class LP(Objective):
    """prediction; compression = E Σ_i |Z_i|^p, p the `power`."""

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        # Where |z| is 0, its power has no finite slope to p's.
        size = output.z.abs().clamp_min(1e-12).pow(hyper["power"])
        return *prediction_losses(output, y), size.sum(-1).mean()
