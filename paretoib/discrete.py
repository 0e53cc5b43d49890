"""Discrete codes: p(z|x) over bits or categories, layers of bits, q(y|z) of categories; in nats.

As in `paretoib.distributions`: one model's batch, without branches on tensors' values.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class BernoulliEncoding:
    """p(z|x) of K independent bits, or the mean of S such: one for each sample of layers below.

    `logits` (B, K), or (*S, B, K) where what is below z is sampled along S paths; z comes from the
    first of them. Then log p(z|x) is an estimate, log of the mean over paths, and errs as a bound
    needs it: with the path that z came from (`log_prob`) it is too large on average, without it
    (`log_prob_apart`) too small, each by less the more paths there are.
    """

    logits: Float[Tensor, "*S B K"]

    @property
    def paths(self) -> Float[Tensor, "S B K"]:
        """The logits with all paths along one axis."""
        return self.logits.reshape(-1, *self.logits.shape[-2:])

    @property
    def mean(self) -> Float[Tensor, "B K"]:
        return self.paths.sigmoid().mean(0)

    @property
    def variance(self) -> Float[Tensor, "B K"]:
        """The variance of each bit, given each input."""
        return self.mean * (1 - self.mean)

    def sample(self, noise: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        return raiko(self.paths[0].sigmoid(), noise)

    def double(self) -> "BernoulliEncoding":
        """The same in double precision."""
        return BernoulliEncoding(self.logits.double())

    def log_prob(self, z: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        return _log_mean_exp(_log_bernoulli(z, self.paths))

    def log_prob_apart(self, z: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        if self.logits.ndim == 2:  # exact, whatever z was drawn with
            return self.log_prob(z)
        if len(self.paths) == 1:  # and nothing else is known
            return torch.full_like(self.log_prob(z), -torch.inf)
        return _log_mean_exp(_log_bernoulli(z, self.paths[1:]))

    def log_prob_pairs(self, z: Float[Tensor, "N K"]) -> Float[Tensor, "N B"]:
        # A path at a time, so that no more than (N, B) is held.
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
    """Bits with probability p from standard normal `noise`, whose gradient is that of p.

    Raiko, Berglund, Alain, Dinh: Techniques for learning binary stochastic feedforward neural
    networks, 2015 (imb section 4): right on average where what follows is linear in each bit.
    """
    bits = (torch.special.ndtr(noise) < p).to(p.dtype)
    return p + (bits - p).detach()


def one_hot(y: Int[Tensor, " B"], classes: int) -> Float[Tensor, "B Y"]:
    """1 in the column of each label, 0 elsewhere; torch's own looks at values."""
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
    """A stochastic layer: p(z_l|z_{l−1}), one sample of z_l, and its prior's logits (imb eq. 10).

    In training `encoding` has an axis of samples for each layer below. `weight` and `bias` are
    those of the map from the layer below, where that is a stochastic layer too.
    """

    encoding: BernoulliEncoding
    z: Float[Tensor, "B K"]
    prior: Float[Tensor, " K"]
    weight: Float[Tensor, "K J"] | None = None
    bias: Float[Tensor, " K"] | None = None


@dataclass(frozen=True)
class CategoricalEncoding:
    """p(z|x) over C categories: z is the category's one-hot vector."""

    logits: Float[Tensor, "B C"]

    @property
    def mean(self) -> Float[Tensor, "B C"]:
        """The probabilities."""
        return self.logits.softmax(-1)

    @property
    def variance(self) -> Float[Tensor, "B C"]:
        """The variance of each indicator, given each input."""
        return self.mean * (1 - self.mean)


@dataclass(frozen=True)
class CodebookPrediction:
    """q(y|z) of each of C categories, log q in `codebook`, and p(z|x): expectations over z."""

    p: Float[Tensor, "B C"]
    codebook: Float[Tensor, "C Y"]

    def nll(self, y: Int[Tensor, " B"]) -> Float[Tensor, " B"]:
        """E[−log q(y_i|z)] over z ~ p(z|x_i)."""
        return -(self.p * self.codebook.mT[y]).sum(-1)

    @property
    def expected(self) -> Float[Tensor, "B Y"]:
        return self.log_expected.exp()

    @property
    def log_expected(self) -> Float[Tensor, "B Y"]:
        """log q(y|x) = log Σ_z p(z|x) q(y|z)."""
        return (self.p @ self.codebook.exp()).clamp_min(1e-30).log()
