"""Variational InfoMax: fits q(z), the distribution of all codes together, to the prior.

Crescimanna, Graham: The Variational InfoMax Learning Objective, eq. 18 with the divergence of its
section 4: MMD²(q(z), N(0, σ²I)) with the kernel k(a, b) = K/(K + ‖a − b‖²) for K latent dimensions.

The paper's divergence is MMD, the square root of this loss. Its minimum is the same, but the same β
has another effect.

The paper draws samples of the prior. Here the kernel's means under the prior are computed as
integrals, which is equivalent to infinitely many samples. The kernel is
k(a, b) = ∫ exp(−s) exp(−s ‖a − b‖²/K) ds; its mean over a Gaussian b is a closed form under the
integral over s, which is computed numerically.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.distributions import Output
from paretoib.objectives._objective import Hyper, Objective, Scalar, prediction_losses

# Nodes x of the trapezoidal rule for the integral over s = eˣ. The integrand vanishes at both ends,
# so with this spacing the error of the rule is below 1e-8. The integral below x = −21 is left out;
# it is less than 1e-9.
_SPACING = 0.5
_LOG_NODES = torch.arange(-21.0, 4.5, _SPACING, dtype=torch.float64)


def kernel(a: Float[Tensor, "N K"], b: Float[Tensor, "M K"]) -> Float[Tensor, "N M"]:
    """k(a_i, b_j) = K/(K + ‖a_i − b_j‖²)."""
    squared = a.square().sum(-1).unsqueeze(1) + b.square().sum(-1) - 2 * a @ b.mT
    return a.shape[-1] / (a.shape[-1] + squared.clamp_min(0))


def kernel_mean(z: Float[Tensor, "B K"], width: Tensor | float) -> Float[Tensor, " B"]:
    """E k(z_i, b) over b ~ N(0, width² I)."""
    size = z.shape[-1]
    nodes = _LOG_NODES.exp().to(z)
    weights = _SPACING * nodes * (-nodes).exp()
    spread = 1 + 2 * nodes * width**2 / size
    squares = z.square().sum(-1, keepdim=True) / size
    return ((-size / 2 * spread.log() - nodes * squares / spread).exp() * weights).sum(-1)


def mmd_squared(
    z: Float[Tensor, "B K"], width: Tensor | float, *, unbiased: bool = False
) -> Scalar:
    """MMD² between the sample z and N(0, width² I).

    The result is the V-statistic or, if `unbiased`, the U-statistic. The V-statistic is the MMD² of
    the empirical distribution and never negative. On average the V-statistic exceeds the MMD² of
    the true distribution of z by (1 − E k(z, z′))/B, where z and z′ are independent.
    """
    count = len(z)
    diagonal = torch.eye(count, device=z.device)
    # Centring the codes reduces rounding errors in the differences of squares.
    centred = z - z.mean(0)
    pairs = (kernel(centred, centred) * (1 - diagonal)).sum()
    within = pairs / max(count * (count - 1), 1) if unbiased else (pairs + count) / count**2
    # The difference of two samples of the prior is Gaussian with √2 times the standard deviation.
    prior = kernel_mean(torch.zeros_like(z[:1]), math.sqrt(2) * width).squeeze(0)
    return within - 2 * kernel_mean(z, width).mean() + prior


class VIM(Objective):
    """Losses: prediction, and compression = MMD² between z and N(0, σ²I), σ = `prior_width`.

    Compression is a squared distance between 0 and 2, not an information in nats. It fits the
    marginal of z to the prior. Only the noise that p(z|x) keeps during training limits the rate.

    With the paper's β = 1e-3, β · compression is at most 0.002 and has no visible effect: on the
    digits, training with β = 1e-3 and with β = 0 ends at the same rate and error.
    """

    def __init__(self, *, statistic: Literal["v", "u"]) -> None:
        self.unbiased = statistic == "u"

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        distance = mmd_squared(output.z, hyper["prior_width"], unbiased=self.unbiased)
        return *prediction_losses(output, y), distance
