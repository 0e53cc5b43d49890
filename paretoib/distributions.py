"""The distributions of a model: p(z|x) (`Encoding`) and q(y|z) (`Prediction`). Units: nats.

All functions take the batch of one model and do not branch on tensor values, so that they run
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
# The number of classes of Y, or a tuple with one number for each task; None for a continuous Y.
Classes = int | tuple[int, ...] | None
# The standard deviation of N(0, 1/(2πe)), whose differential entropy is zero (uib section 6.1).
ZERO_ENTROPY_STD = (2 * math.pi * math.e) ** -0.5


@runtime_checkable
class Encoding(Protocol):
    """p(z|x) for a batch of B inputs; bounds on the rate use only its log-density."""

    @property
    def mean(self) -> Float[Tensor, "B K"]:
        """The mean latent of each input."""

    def sample(self, noise: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        """z ~ p(z|x), reparameterised: a function of standard normal `noise`."""

    def log_prob(self, z: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        """log p(z_i|x_i)."""

    def log_prob_independent(self, z: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        """log p(z_i|x_i), estimated without the samples from which z_i was drawn.

        The value differs from `log_prob` only if the log-density is an estimate.
        """

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

    def log_prob_independent(self, z: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        return self.log_prob(z)

    def double(self) -> "GaussianEncoding":
        """This encoding in double precision."""
        return GaussianEncoding(self.mean.double(), self.std.double())

    def log_prob_pairs(self, z: Float[Tensor, "N K"]) -> Float[Tensor, "N B"]:
        # Matrix products need no (N, B, K) tensor. The squares nearly cancel if `std` is small, so
        # the latents are centred and the precision is double.
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
        """KL(p(z|x_i) ‖ other_i) for each input x_i, in closed form."""
        shifted = GaussianEncoding((self.mean - other.mean) / other.std, self.std / other.std)
        return shifted.kl(1.0)


@dataclass(frozen=True)
class PointEncoding:
    """z = mean, without noise: the rate I(X;Z) counts as infinite."""

    mean: Float[Tensor, "B K"]

    @property
    def variance(self) -> Float[Tensor, "B K"]:
        """Zero everywhere."""
        return torch.zeros_like(self.mean)

    def sample(self, noise: Float[Tensor, "B _"]) -> Float[Tensor, "B K"]:  # noqa: ARG002
        return self.mean


@runtime_checkable
class Prediction(Protocol):
    """q(y|z) for a batch of B latents; −log q is (B,), or (*P, B) if z has sample axes *P."""

    def nll(self, y: Tensor) -> Float[Tensor, "*P B"]:
        """−log q(y_i|z_i)."""

    @property
    def expected(self) -> Float[Tensor, "*P B _"]:
        """The class probabilities, or the mean of a continuous Y."""


@dataclass(frozen=True)
class CategoricalPrediction:
    """q(y|z) over C classes."""

    logits: Float[Tensor, "*P B C"]

    def nll(self, y: Int[Tensor, " B"]) -> Float[Tensor, "*P B"]:
        # torch's cross-entropy loads a compiler under vmap, which takes longer than most trials.
        index = y.expand(self.logits.shape[:-1]).unsqueeze(-1)
        return -self.logits.log_softmax(-1).gather(-1, index).squeeze(-1)

    @property
    def expected(self) -> Float[Tensor, "*P B C"]:
        return self.logits.softmax(-1)


@dataclass(frozen=True)
class GaussianPrediction:
    """q(y|z) = N(mean, (WᵀW)⁻¹); W is the lower-triangular `whitening`, the same for all inputs."""

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
    """q(y_1, …, y_T|z) = Π_k q(y_k|z): tasks are independent given z (mtvib, assumption 3)."""

    tasks: tuple[Prediction, ...]

    def nll(self, y: Int[Tensor, "B T"]) -> Float[Tensor, "*P B"]:
        return torch.stack([task.nll(target) for task, target in by_task(self, y)]).sum(0)

    @property
    def expected(self) -> Float[Tensor, "*P B _"]:
        """The class probabilities of each task, concatenated."""
        return torch.cat([task.expected for task in self.tasks], dim=-1)


def by_task(prediction: Prediction, y: Tensor) -> list[tuple[Prediction, Tensor]]:
    """q(y_k|z) and the targets y_k of each task; one pair if Y is a single task."""
    if isinstance(prediction, TaskPredictions):
        return list(zip(prediction.tasks, y.unbind(-1), strict=True))
    return [(prediction, y)]


@dataclass(frozen=True)
class Output:
    """A model's output on a batch: p(z|x), z and q(y|z).

    `z` is one sample, or the mean of p(z|x) if no noise is drawn, as for a categorical code.
    `objective_parameters` are the trainable parameters of the objective. `layers` are the layers
    of a binary network; `z` is the sample of the last layer, and the first `frozen` layers are not
    trained at present. During training, the prediction of a binary network has one sample axis per
    layer.
    """

    encoding: GaussianEncoding | PointEncoding | BernoulliEncoding | CategoricalEncoding
    z: Float[Tensor, "B K"]
    prediction: Prediction
    objective_parameters: Mapping[str, Tensor] = field(default_factory=dict)
    layers: tuple[BinaryLayer, ...] = ()
    frozen: int = 0

    @property
    def gaussian(self) -> GaussianEncoding:
        """The encoding; raises `TypeError` if it is not Gaussian."""
        if not isinstance(self.encoding, GaussianEncoding):
            raise TypeError(f"this loss needs a Gaussian encoding; found {self.encoding}")
        return self.encoding


def standard_normal_log_prob(
    z: Float[Tensor, "N K"], width: Tensor | float = 1.0
) -> Float[Tensor, " N"]:
    """log N(z; 0, width² I)."""
    width = torch.as_tensor(width, dtype=z.dtype, device=z.device)
    return -((z / width).square() / 2 + width.log() + LOG_2PI / 2).sum(-1)
