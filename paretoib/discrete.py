"""Discrete codes: p(z|x) over bits or categories, binary layers, q(y|z) of categories. Units: nats.

As in `paretoib.distributions`, functions take the batch of one model and do not branch on tensor
values.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class BernoulliEncoding:
    """p(z|x) of K independent bits, or the mean of such distributions over S sampled paths.

    `logits` are (B, K), or (*S, B, K) if the layers below z are sampled along S paths; z is drawn
    from the first path. Then log p(z|x) is estimated as the log of the mean over paths. `log_prob`
    includes the path of z, and its estimate is too large on average. `log_prob_independent`
    excludes that path, and its estimate is too small on average. `rate_bounds` uses each estimate
    for the bound that stays valid with it. More paths make these biases smaller.
    """

    logits: Float[Tensor, "*S B K"]

    @property
    def paths(self) -> Float[Tensor, "S B K"]:
        """The logits with all paths on one axis."""
        return self.logits.reshape(-1, *self.logits.shape[-2:])

    @property
    def mean(self) -> Float[Tensor, "B K"]:
        return self.paths.sigmoid().mean(0)

    @property
    def variance(self) -> Float[Tensor, "B K"]:
        """The variance of each bit for each input."""
        return self.mean * (1 - self.mean)

    def sample(self, noise: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        return raiko(self.paths[0].sigmoid(), noise)

    def double(self) -> "BernoulliEncoding":
        """This encoding in double precision."""
        return BernoulliEncoding(self.logits.double())

    def log_prob(self, z: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        return _log_mean_exp(_log_bernoulli(z, self.paths))

    def log_prob_independent(self, z: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        if self.logits.ndim == 2:  # log p(z|x) is exact
            return self.log_prob(z)
        if len(self.paths) == 1:  # without another path the estimate of p is 0
            return torch.full_like(self.log_prob(z), -torch.inf)
        return _log_mean_exp(_log_bernoulli(z, self.paths[1:]))

    def log_prob_pairs(self, z: Float[Tensor, "N K"]) -> Float[Tensor, "N B"]:
        # One path at a time limits the memory to (N, B).
        total = torch.full((len(z), self.logits.shape[-2]), -torch.inf).to(self.logits)
        for logits in self.paths:
            total = torch.logaddexp(total, z @ logits.mT - F.softplus(logits).sum(-1))
        return total - math.log(len(self.paths))

    def kl(self, prior: Float[Tensor, " K"]) -> Float[Tensor, "*S B"]:
        """KL(p(z|·) ‖ Π_i Bernoulli(sigmoid(prior_i))) along each path (imb eq. 10)."""
        log_ratio = self.logits - prior
        normaliser = F.softplus(prior) - F.softplus(self.logits)
        return (self.logits.sigmoid() * log_ratio + normaliser).sum(-1)


def raiko(p: Float[Tensor, "*S"], noise: Float[Tensor, "*N"]) -> Float[Tensor, "*N"]:
    """Sample bits, each 1 with probability p, from standard normal `noise`; gradients pass to p.

    Raiko, Berglund, Alain, Dinh: Techniques for learning binary stochastic feedforward neural
    networks, 2015 (imb section 4). The gradient is unbiased if the loss is linear in each bit.
    """
    bits = (torch.special.ndtr(noise) < p).to(p.dtype)
    return p + (bits - p).detach()


def one_hot(y: Int[Tensor, " B"], classes: int) -> Float[Tensor, "B Y"]:
    """One-hot rows of the labels; torch's `one_hot` branches on values and fails under `vmap`."""
    return (y.unsqueeze(-1) == torch.arange(classes, device=y.device)).double()


def entropy(p: Float[Tensor, "*S"]) -> Float[Tensor, ""]:
    """−Σ p log p in nats, with a finite gradient where p is 0."""
    return -(p * p.clamp_min(1e-30).log()).sum()


def _log_bernoulli(z: Float[Tensor, "B K"], logits: Float[Tensor, "S B K"]) -> Float[Tensor, "S B"]:
    return (z * logits - F.softplus(logits)).sum(-1)


def _log_mean_exp(values: Float[Tensor, "S B"]) -> Float[Tensor, " B"]:
    return values.logsumexp(0) - math.log(len(values))


@dataclass(frozen=True)
class BinaryLayer:
    """A stochastic layer: p(z_l|z_{l−1}), one sample of z_l, and the prior's logits (imb eq. 10).

    During training `encoding` has one axis of samples per layer below. `weight` and `bias` belong
    to the linear map from the layer below; both are None for the first stochastic layer.
    """

    encoding: BernoulliEncoding
    z: Float[Tensor, "B K"]
    prior: Float[Tensor, " K"]
    weight: Float[Tensor, "K J"] | None = None
    bias: Float[Tensor, " K"] | None = None


@dataclass(frozen=True)
class CategoricalEncoding:
    """p(z|x) over C categories; z is the one-hot vector of a category."""

    logits: Float[Tensor, "B C"]

    @property
    def mean(self) -> Float[Tensor, "B C"]:
        """The probability of each category."""
        return self.logits.softmax(-1)

    @property
    def variance(self) -> Float[Tensor, "B C"]:
        """The variance of each component of z for each input."""
        return self.mean * (1 - self.mean)


@dataclass(frozen=True)
class CodebookPrediction:
    """Expectations of q(y|z) over z ~ p(z|x). `p` holds p(z|x), `codebook` holds log q(y|z)."""

    p: Float[Tensor, "B C"]
    codebook: Float[Tensor, "C Y"]

    def nll(self, y: Int[Tensor, " B"]) -> Float[Tensor, " B"]:
        """E[−log q(y_i|z)] over z ~ p(z|x_i)."""
        return -(self.p * self.codebook.mT[y]).sum(-1)

    def marginal_nll(self, y: Int[Tensor, " B"]) -> Float[Tensor, " B"]:
        """−log q(y_i|x_i) = −log Σ_z p(z|x_i) q(y_i|z)."""
        return -self.log_expected.gather(-1, y.unsqueeze(-1)).squeeze(-1)

    def correct(self, y: Int[Tensor, " B"]) -> Float[Tensor, " B"]:
        """The probability, over z ~ p(z|x_i), that y_i is the most likely class under q(y|z)."""
        return (self.p * (self.codebook.argmax(-1) == y.unsqueeze(-1))).sum(-1)

    @property
    def expected(self) -> Float[Tensor, "B Y"]:
        return self.log_expected.exp()

    @property
    def log_expected(self) -> Float[Tensor, "B Y"]:
        """log q(y|x) = log Σ_z p(z|x) q(y|z)."""
        return (self.p @ self.codebook.exp()).clamp_min(1e-30).log()
