"""The variational information bottleneck and its square.

Alemi, Fischer, Dillon, Murphy: Deep Variational Information Bottleneck, 2017 (mib eq. 36, vim
eq. 10). Rodríguez Gálvez, Thobaben, Skoglund: The Convex Information Bottleneck Lagrangian, 2020,
whose u(I) = I² the squared form is; mib eq. 38 as printed squares H(Z|x), which is not that.
"""

import math

from torch import Tensor

from paretoib.distributions import Output
from paretoib.objectives._objective import Hyper, Objective, Scalar, prediction_losses


class VIB(Objective):
    """prediction; compression = E KL(p(z|x) ‖ N(0, σ²I)) in nats, σ the `prior_width`."""

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        return *prediction_losses(output, y), output.gaussian.kl(hyper["prior_width"]).mean()


class VIBSquared(Objective):
    """prediction; compression = `squared` E KL, so that β is per bit²."""

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        nats = output.gaussian.kl(hyper["prior_width"]).mean()
        return *prediction_losses(output, y), squared(nats)


def squared(nats: Tensor) -> Tensor:
    """u(I) = I² with I in bits, as so many bits beside a prediction's: ln 2 · bits², in nats."""
    return (nats / math.log(2)).square() * math.log(2)
