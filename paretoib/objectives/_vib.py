"""The variational information bottleneck and its square.

Alemi, Fischer, Dillon, Murphy: Deep Variational Information Bottleneck, 2017 (mib eq. 36, vim
eq. 10). The square is u(I) = I² of Rodríguez Gálvez, Thobaben, Skoglund: The Convex Information
Bottleneck Lagrangian, 2020. mib eq. 38 as printed squares H(Z|x), a different quantity, and mib
does not say in which unit; here I is in bits.
"""

import math

from torch import Tensor

from paretoib.distributions import Output
from paretoib.objectives._objective import Hyper, Objective, Scalar, prediction_losses


class VIB(Objective):
    """Losses: prediction, and compression = E KL(p(z|x) ‖ N(0, σ²I)) in nats, σ = `prior_width`."""

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        return *prediction_losses(output, y), output.gaussian.kl(hyper["prior_width"]).mean()


class VIBSquared(Objective):
    """Losses: prediction, and compression = `squared` of vib's E KL; β multiplies bits²."""

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        nats = output.gaussian.kl(hyper["prior_width"]).mean()
        return *prediction_losses(output, y), squared(nats)


def squared(nats: Tensor) -> Tensor:
    """u(I) = I² with I in bits. The number I² counts as bits and is converted to nats."""
    return (nats / math.log(2)).square() * math.log(2)
