"""A lower and an upper bound on the rate I(X;Z), from log-densities only.

Poole, Ozair, van den Oord, Alemi, Tucker: On Variational Bounds of Mutual Information, 2019,
section 2. Units: nats. Runs under `vmap`.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.distributions import LOG_2PI, Encoding


@dataclass(frozen=True)
class RateBounds:
    """lower ≤ I(X;Z) ≤ upper in nats, and their standard errors: `lower_error`, and `error`."""

    lower: Float[Tensor, ""]
    upper: Float[Tensor, ""]
    error: Float[Tensor, ""]
    lower_error: Float[Tensor, ""]


BLOCK = 128  # rows of the (N, N) pair matrix in memory at a time; these fit into the CPU cache


def rate_bounds(
    encoding: Encoding,
    z: Float[Tensor, "N K"],
    marginals: Sequence[Float[Tensor, " N"]],
    *,
    complete: bool = False,
) -> RateBounds:
    """Both bounds in nats from p(z|x_j) and z_i ~ p(z|x_i), N ≥ 2.

    Lower: E[log p(z_i|x_i) − log(1/N Σ_j p(z_i|x_j))], which is at most log N. Upper: the smallest
    of E[log p(z_i|x_i) − log q(z_i)], where q is the leave-one-out mixture
    1/(N−1) Σ_{j≠i} p(z|x_j) or one of the marginals. Every density q gives an upper bound, so more
    marginals can only tighten the bound.

    `marginals` holds log q(z_i) for each q. `complete` means that the N inputs are all possible
    inputs and equally likely. Then the mixture of all N is p(z) itself and replaces the
    leave-one-out mixture, and the rate is at most log N.

    If p(z|x) is an estimate (a mean over sampled lower layers), the upper bound uses `log_prob`,
    which is too large on average, and the lower bound uses `log_prob_independent`, which is too
    small on average. So both bounds remain valid.
    """
    return pair_bounds(
        encoding.log_prob(z).double(),
        encoding.log_prob_independent(z).double(),
        (encoding.log_prob_pairs(z[i : i + BLOCK]) for i in range(0, len(z), BLOCK)),
        marginals,
        complete=complete,
    )


def pair_bounds(
    own: Float[Tensor, " N"],
    independent: Float[Tensor, " N"],
    blocks: Iterable[Float[Tensor, "_ N"]],
    marginals: Sequence[Float[Tensor, " N"]],
    *,
    complete: bool = False,
) -> RateBounds:
    """The bounds of `rate_bounds`, from log-densities alone.

    `own` holds log p(z_i|x_i) for the upper bound, `independent` for the lower bound. `blocks` are
    the rows i of log p(z_i|x_j), some rows at a time; they are overwritten.
    """
    count = len(own)
    starts = range(0, count, BLOCK)
    others = torch.cat([_others(rows, i) for rows, i in zip(blocks, starts, strict=True)])
    mixture = torch.logaddexp(others, independent) - math.log(count)
    marginal = mixture if complete else others - math.log(count - 1)
    samples = torch.stack([own - marginal, *(own - q for q in marginals)])
    means = samples.mean(-1)
    upper, tightest = means.min(0)
    errors = samples.std(-1) / math.sqrt(count)
    # A Monte Carlo mean near 0 can be negative; mutual information cannot.
    upper = upper.clamp(0, math.log(count) if complete else None)
    ratios = independent - mixture
    lower = torch.minimum(ratios.mean().clamp_min(0), upper)
    error = errors.gather(0, tightest.unsqueeze(0)).squeeze(0)
    return RateBounds(lower, upper, error, ratios.std(-1) / math.sqrt(count))


def _others(pairs: Float[Tensor, "R N"], first: int) -> Float[Tensor, " R"]:
    """log Σ_{j≠i} p(z_i|x_j) for R rows, i = first, first + 1, …; overwrites log p(z_i|x_i)."""
    pairs.diagonal(first).fill_(-torch.inf)
    return pairs.logsumexp(-1)


@dataclass(frozen=True)
class GaussianMarginal:
    """q(z) = N(mean, L Lᵀ), fitted to latents of the training data."""

    mean: Float[Tensor, "*M K"]
    factor: Float[Tensor, "*M K K"]

    @classmethod
    def fit(
        cls, z: Float[Tensor, "N K"], variance: Float[Tensor, "N K"] | None = None
    ) -> "GaussianMarginal":
        """Fit the mean and covariance of the samples, or of the mixture of all N(z_i, variance_i).

        A small term on the diagonal keeps the covariance invertible if dimensions have collapsed.
        The term makes the bound on the rate less tight, but never invalid.
        """
        z = z.double()
        mean = z.mean(0)
        centred = z - mean
        covariance = centred.mT @ centred / max(len(z) - 1, 1)
        if variance is not None:
            covariance = covariance + variance.double().mean(0).diag()
        jitter = 1e-6 * covariance.diagonal(dim1=-2, dim2=-1).mean() + 1e-12
        factor, _ = torch.linalg.cholesky_ex(covariance + jitter * torch.eye(len(mean)).to(z))
        return cls(mean, factor)

    def log_prob(self, z: Float[Tensor, "N K"]) -> Float[Tensor, " N"]:
        """log q(z_i)."""
        white = torch.linalg.solve_triangular(self.factor, (z.double() - self.mean).mT, upper=False)
        log_det = self.factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -(white.square() + LOG_2PI).sum(0) / 2 - log_det
