"""What a model says: p(z|x) of a batch (`Encoding`) and q(y|z) (`Prediction`), in nats.

Everything here works on one model's batch, without branches on tensors' values, so that it runs
under `vmap` over a pack of models.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from paretoib.discrete import (
    BernoulliEncoding,
    BinaryLayer,
    CategoricalEncoding,
)

LOG_2PI = math.log(2 * math.pi)
# How many classes Y has, of several tasks each; None for a continuous Y.
Classes = int | tuple[int, ...] | None
# The width of the Gaussian whose differential entropy is zero, N(0, 1/(2πe)) (uib section 6.1).
ZERO_ENTROPY_STD = (2 * math.pi * math.e) ** -0.5


@runtime_checkable
class Encoding(Protocol):
    """p(z|x) for a batch of B inputs; all the ruler needs of it is its log-density."""

    @property
    def mean(self) -> Float[Tensor, "B K"]:
        """The mean latent of each input."""

    def sample(self, noise: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        """z ~ p(z|x), reparameterised: a function of standard normal `noise`."""

    def log_prob(self, z: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        """log p(z_i|x_i)."""

    def log_prob_apart(self, z: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        """The same from nothing that z was drawn with; another number only for an estimate."""

    def log_prob_pairs(self, z: Float[Tensor, "N K"]) -> Float[Tensor, "N B"]:
        """log p(z_i|x_j) for every pair."""


@dataclass(frozen=True)
class GaussianEncoding:
    """p(z|x) = N(mean, diag std²)."""

    mean: Float[Tensor, "B K"]
    std: Float[Tensor, "B K"]

    def sample(self, noise: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        return self.mean + self.std * noise

    @property
    def variance(self) -> Float[Tensor, "B K"]:
        """The variance of each dimension, given each input."""
        return self.std.square()

    def log_prob(self, z: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        normal = ((z - self.mean) / self.std).square() + LOG_2PI
        return -(normal / 2 + self.std.log()).sum(-1)

    def log_prob_apart(self, z: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        return self.log_prob(z)

    def double(self) -> "GaussianEncoding":
        """The same in double precision."""
        return GaussianEncoding(self.mean.double(), self.std.double())

    def log_prob_pairs(self, z: Float[Tensor, "N K"]) -> Float[Tensor, "N B"]:
        # Three matrix products instead of an (N, B, K) tensor. Their squares cancel, all but
        # wholly where std is small; hence double precision, and latents about their centre.
        centre = self.mean.double().mean(0)
        z, mean, std = z.double() - centre, self.mean.double() - centre, self.std.double()
        precision = std.square().reciprocal()
        squared = (
            z.square() @ precision.T
            - 2 * z @ (mean * precision).T
            + (mean.square() * precision).sum(-1)
        )
        return -(squared / 2 + (std.log() + LOG_2PI / 2).sum(-1))

    def kl(self, width: Tensor | float) -> Float[Tensor, " B"]:
        """KL(p(z|x) ‖ N(0, width² I)) of each input, in closed form (vim eq. 10)."""
        mean, std = self.mean / width, self.std / width
        return (mean.square() / 2 + std.square() / 2 - 0.5 - std.log()).sum(-1)

    def kl_from(self, other: "GaussianEncoding") -> Float[Tensor, " B"]:
        """KL(p(z|x_i) ‖ other_i), row by row, in closed form."""
        shifted = GaussianEncoding((self.mean - other.mean) / other.std, self.std / other.std)
        return shifted.kl(1.0)


@dataclass(frozen=True)
class PointEncoding:
    """z = mean, without noise: I(X;Z) has no finite value."""

    mean: Float[Tensor, "B K"]

    @property
    def variance(self) -> Float[Tensor, "B K"]:
        """Zero everywhere."""
        return torch.zeros_like(self.mean)

    def sample(self, noise: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:  # noqa: ARG002
        return self.mean


@runtime_checkable
class Prediction(Protocol):
    """q(y|z) for a batch of B latents, or for P samples of each: then −log q is (*P, B)."""

    def nll(self, y: Tensor) -> Float[Tensor, "*P B"]:
        """−log q(y_i|z_i)."""

    @property
    def expected(self) -> Float[Tensor, "*P B _"]:
        """The probabilities of classes, or the mean of a continuous Y."""


@dataclass(frozen=True)
class CategoricalPrediction:
    """q(y|z) over C classes."""

    logits: Float[Tensor, "*P B C"]

    def nll(self, y: Int[Tensor, " B"]) -> Float[Tensor, "*P B"]:
        # torch's cross-entropy loads a compiler under vmap, which takes longer than many a trial.
        index = y.expand(self.logits.shape[:-1]).unsqueeze(-1)
        return -self.logits.log_softmax(-1).gather(-1, index).squeeze(-1)

    @property
    def expected(self) -> Float[Tensor, "*P B C"]:
        return self.logits.softmax(-1)


@dataclass(frozen=True)
class GaussianPrediction:
    """q(y|z) = N(mean, (WᵀW)⁻¹) with W the lower-triangular `whitening`, one for all inputs."""

    mean: Float[Tensor, "*P B d"]
    whitening: Float[Tensor, "d d"]

    def nll(self, y: Float[Tensor, "B d"]) -> Float[Tensor, "*P B"]:
        white = (y - self.mean) @ self.whitening.mT
        log_det = self.whitening.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return (white.square() + LOG_2PI).sum(-1) / 2 - log_det

    @property
    def expected(self) -> Float[Tensor, "*P B d"]:
        return self.mean


@dataclass(frozen=True)
class TaskPredictions:
    """q(y_1, …, y_T|z) = Π_k q(y_k|z): tasks that are independent given z (mtvib, assumption 3)."""

    tasks: tuple[Prediction, ...]

    def nll(self, y: Int[Tensor, "B T"]) -> Float[Tensor, "*P B"]:
        return torch.stack([task.nll(target) for task, target in by_task(self, y)]).sum(0)

    @property
    def expected(self) -> Float[Tensor, "*P B _"]:
        """The probabilities of each task's classes, one task after another."""
        return torch.cat([task.expected for task in self.tasks], dim=-1)


def by_task(prediction: Prediction, y: Tensor) -> list[tuple[Prediction, Tensor]]:
    """Each task's q(y_k|z) and targets y_k; where Y is one, that alone."""
    if isinstance(prediction, TaskPredictions):
        return list(zip(prediction.tasks, y.unbind(-1), strict=True))
    return [(prediction, y)]


@dataclass(frozen=True)
class Output:
    """A model's output on a batch: p(z|x), one sample of z, and q(y|z).

    `own` are the objective's own parameters, where it has any. `layers` are those of a network of
    binary layers, of which z is the last; the first `frozen` of them do not learn at present. In
    training its prediction has an axis of samples for each layer.
    """

    encoding: GaussianEncoding | PointEncoding | BernoulliEncoding | CategoricalEncoding
    z: Float[Tensor, "B K"]
    prediction: Prediction
    own: Mapping[str, Tensor] = field(default_factory=dict)
    layers: tuple[BinaryLayer, ...] = ()
    frozen: int = 0

    @property
    def gaussian(self) -> GaussianEncoding:
        """The encoding, where it is Gaussian; `TypeError` where it has no noise."""
        if not isinstance(self.encoding, GaussianEncoding):
            raise TypeError(f"this loss needs a Gaussian encoding; found {self.encoding}")
        return self.encoding


def standard_normal_log_prob(
    z: Float[Tensor, "N K"], width: Tensor | float = 1.0
) -> Float[Tensor, " N"]:
    """log N(z; 0, width² I)."""
    width = torch.as_tensor(width, dtype=z.dtype, device=z.device)
    return -((z / width).square() / 2 + width.log() + LOG_2PI / 2).sum(-1)
