"""The rate I(X;Z), sandwiched between a lower and an upper bound, from log-densities alone.

Poole, Ozair, van den Oord, Alemi, Tucker: On Variational Bounds of Mutual Information, 2019,
section 2. Units: nats. Runs under `vmap`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.distributions import LOG_2PI, Encoding


@dataclass(frozen=True)
class RateBounds:
    """lower ≤ I(X;Z) ≤ upper in nats, and the standard error of `upper`."""

    lower: Float[Tensor, ""]
    upper: Float[Tensor, ""]
    error: Float[Tensor, ""]


BLOCK = 128  # of the matrix of pairs that are held at a time: they should fit into a cache


def rate_bounds(
    encoding: Encoding,
    z: Float[Tensor, "N K"],
    marginals: Sequence[Float[Tensor, " N"]],
    *,
    complete: bool = False,
) -> RateBounds:
    """Both bounds from p(z|x_j) and z_i ~ p(z|x_i), N ≥ 2.

    Lower: E log p(z_i|x_i) − log 1/N Σ_j p(z_i|x_j); it cannot exceed log N. Upper: the least of
    the leave-one-out mixture, E log p(z_i|x_i) − log 1/(N−1) Σ_{j≠i} p(z_i|x_j), and of
    E log p(z_i|x_i) − log q(z_i) for each marginal, given as log q(z_i). Every density q gives an
    upper bound, so more of them can only tighten it. Where the inputs are `complete`, all there are
    and equally likely, the mixture of all N is p(z) itself: it takes the place of the
    leave-one-out one, and no code has more than log N. Where p(z|x) is an estimate (a mean over
    samples of what lies between), the upper bound takes the one that is too large on average for
    log p(z_i|x_i), the lower one that which knows nothing of z_i: both are bounds all the same.
    """
    count = len(z)
    own = encoding.log_prob(z).double()
    others = torch.cat(
        [_others(encoding.log_prob_pairs(z[i : i + BLOCK]), i) for i in range(0, count, BLOCK)]
    )
    apart = encoding.log_prob_apart(z).double()
    mixture = torch.logaddexp(others, apart) - math.log(count)
    marginal = mixture if complete else others - math.log(count - 1)
    samples = torch.stack([own - marginal, *(own - q for q in marginals)])
    means = samples.mean(-1)
    upper, tightest = means.min(0)
    errors = samples.std(-1) / math.sqrt(count)
    # Mutual information is never negative, which a Monte Carlo mean near 0 does not know.
    upper = upper.clamp(0, math.log(count) if complete else None)
    lower = torch.minimum((apart - mixture).mean().clamp_min(0), upper)
    return RateBounds(lower, upper, errors.gather(0, tightest.unsqueeze(0)).squeeze(0))


def _others(pairs: Float[Tensor, "R N"], first: int) -> Float[Tensor, " R"]:
    """log Σ_{j≠i} p(z_i|x_j) for the rows i from `first` on; overwrites p(z_i|x_i)."""
    pairs.diagonal(first).fill_(-torch.inf)
    return pairs.logsumexp(-1)


@dataclass(frozen=True)
class GaussianMarginal:
    """q(z) = N(mean, L Lᵀ), fitted to latents of the training data."""

    mean: Float[Tensor, "*M K"]
    factor: Float[Tensor, "*M K K"]

    @classmethod
    def fit(cls, z: Float[Tensor, "N K"]) -> "GaussianMarginal":
        """Mean and covariance of the samples; a little is added to the diagonal.

        The addition keeps collapsed dimensions invertible. It costs tightness, never validity.
        """
        z = z.double()
        mean = z.mean(0)
        centred = z - mean
        covariance = centred.mT @ centred / max(len(z) - 1, 1)
        variance = covariance.diagonal(dim1=-2, dim2=-1)
        jitter = 1e-6 * variance.mean() + 1e-12
        factor, _ = torch.linalg.cholesky_ex(covariance + jitter * torch.eye(len(mean)).to(z))
        return cls(mean, factor)

    def log_prob(self, z: Float[Tensor, "N K"]) -> Float[Tensor, " N"]:
        """log q(z_i)."""
        white = torch.linalg.solve_triangular(self.factor, (z.double() - self.mean).mT, upper=False)
        log_det = self.factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -(white.square() + LOG_2PI).sum(0) / 2 - log_det
