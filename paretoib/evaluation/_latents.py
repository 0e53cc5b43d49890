"""The encoder of a user: p(z|x) of N inputs, as arrays. Units: nats."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from paretoib.distributions import GaussianEncoding, standard_normal_log_prob
from paretoib.errors import DataError
from paretoib.evaluation._arrays import as_numbers, check_rows_sum_to_1, check_shape
from paretoib.evaluation._codes import discrete_rate_bounds
from paretoib.evaluation._rate import BLOCK, GaussianMarginal, RateBounds, pair_bounds, rate_bounds

LogDensity = Callable[[Any], Any]


def generator(seed: int, stream: int) -> np.random.Generator:
    """A random stream of a measurement, independent of `np.random.default_rng(seed)`.

    A user may have drawn the data from `default_rng` with the same seed; noise that equals the data
    would make the rate wrong.
    """
    key = (0x6D656173, stream)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


class Latents(ABC):
    """p(z|x) of `count` inputs.

    `draws` is the number of samples of z for each input, and `mean` (N, K) the mean latent of each
    input, or None if it is not known.
    """

    count: int
    draws: int
    mean: Float[np.ndarray, "N K"] | None = None

    @abstractmethod
    def sample(self, draw: int) -> Float[np.ndarray, "N K"]:
        """One sample of z for each input; equal for equal numbers 0 ≤ `draw` < `draws`."""

    @abstractmethod
    def rate(
        self, inputs: Int[np.ndarray, " M"], folds: Int[np.ndarray, " N"]
    ) -> tuple[RateBounds, int]:
        """Bounds on I(X;Z), and the number of inputs from which they are computed.

        Bounds that compare all pairs of inputs use `inputs` only. A marginal q is fitted without
        the points at which it is used: the number of a fold in `folds` says which points are used
        together.
        """


class GaussianLatents(Latents):
    """p(z|x) = N(mean, diag scale²).

    Raises `DataError` if `mean` is not (N, K), or `scale` is not (N, K), (K,) or one number, and
    for values that are not finite or scales that are not positive.
    """

    mean: Float[np.ndarray, "N K"]

    def __init__(self, mean: Any, scale: Any, draws: int, seed: int) -> None:
        self.mean = as_numbers("mean", mean)
        check_shape("mean", self.mean, ("N", "K"))
        self.count, features = self.mean.shape
        scales = as_numbers("scale", scale)
        check_shape("scale", scales, (self.count, features), (features,), ())
        if scales.min() <= 0:
            raise DataError(
                f"scale: standard deviations should be above 0; found {scales.min():g}: an encoder "
                "without noise has no finite rate"
            )
        self.scale = np.broadcast_to(scales, self.mean.shape)
        self.draws = draws
        self._seed = seed

    def sample(self, draw: int) -> Float[np.ndarray, "N K"]:
        noise = generator(self._seed, draw).standard_normal(self.mean.shape)
        return self.mean + self.scale * noise

    def rate(
        self, inputs: Int[np.ndarray, " M"], folds: Int[np.ndarray, " N"]
    ) -> tuple[RateBounds, int]:
        z = torch.from_numpy(self.sample(0))
        variance = torch.from_numpy(self.scale**2)
        fitted = _cross_fitted(z, torch.from_numpy(self.mean), variance, folds)
        encoding = GaussianEncoding(
            torch.from_numpy(self.mean[inputs]), torch.from_numpy(self.scale[inputs])
        )
        marginals = [fitted[inputs], standard_normal_log_prob(z[inputs])]
        return rate_bounds(encoding, z[inputs], marginals), len(inputs)


class SampledLatents(Latents):
    """Samples of z (S, N, K), and log p(z|x) of pairs.

    `log_density` is a function that maps B latents (B, K) to log p(z_b|x_j) of all N inputs x_j,
    (B, N); or the matrix (N, N) of log p(z_i|x_j) for z_i = samples[0, i]. Raises `DataError` for
    other shapes, for values that are not finite, and for samples that repeat: then Z has no
    density.
    """

    def __init__(self, samples: Any, log_density: LogDensity | Any) -> None:
        self._as_torch = hasattr(samples, "detach")
        self.samples = as_numbers("samples", samples)
        check_shape("samples", self.samples, ("S", "N", "K"))
        self.draws, self.count, _ = self.samples.shape
        different = len(np.unique(self.samples[0], axis=0))
        if different < self.count:
            raise DataError(
                f"samples: should all be different, as those of a density are; found {different} "
                f"different samples of {self.count} inputs: give a discrete code as `probabilities`"
            )
        self._log_density = log_density

    def sample(self, draw: int) -> Float[np.ndarray, "N K"]:
        return self.samples[draw]

    def rate(
        self, inputs: Int[np.ndarray, " M"], folds: Int[np.ndarray, " N"]
    ) -> tuple[RateBounds, int]:
        z = torch.from_numpy(self.samples[0])
        pairs = self._pairs(inputs)
        own = pairs.diagonal().clone()
        if not own.isfinite().all():
            raise DataError(
                "log_density: log p(z_i|x_i) should be finite; found "
                f"{float(own[~own.isfinite()][0])}"
            )
        fitted = _cross_fitted(z, z, None, folds)
        marginals = [fitted[inputs], standard_normal_log_prob(z[inputs])]
        return pair_bounds(own, own, pairs.split(BLOCK), marginals), len(inputs)

    def _pairs(self, inputs: Int[np.ndarray, " M"]) -> Float[Tensor, "M M"]:
        """log p(z_i|x_j) of all pairs of `inputs`."""
        if not callable(self._log_density):
            matrix = as_numbers("log_density", self._log_density, infinite=True)
            check_shape("log_density", matrix, (self.count, self.count))
            return torch.from_numpy(matrix[np.ix_(inputs, inputs)])
        blocks = []
        for start in range(0, len(inputs), BLOCK):
            z = self.samples[0][inputs[start : start + BLOCK]]
            found = self._log_density(torch.from_numpy(z) if self._as_torch else z)
            block = as_numbers("log_density", found, infinite=True)
            check_shape("log_density", block, (len(z), self.count))
            blocks.append(block[:, inputs])
        return torch.from_numpy(np.concatenate(blocks))


class DiscreteLatents(Latents):
    """A discrete code: the probabilities p(z|x) of its S states, (N, S).

    A sample of z is a one-hot vector. The rate is computed by sums over all states. Raises
    `DataError` for other shapes, and for rows that are not probabilities.
    """

    def __init__(self, probabilities: Any, draws: int, seed: int) -> None:
        p = as_numbers("probabilities", probabilities)
        check_shape("probabilities", p, ("N", "S"))
        check_rows_sum_to_1("probabilities", p)
        self.probabilities = p / p.sum(-1, keepdims=True)
        self.count = len(p)
        self.draws = draws
        self._seed = seed

    def sample(self, draw: int) -> Float[np.ndarray, "N K"]:
        uniform = generator(self._seed, draw).random((self.count, 1))
        states = self.probabilities.shape[1]
        state = (self.probabilities.cumsum(-1) <= uniform).sum(-1).clip(max=states - 1)
        return np.eye(states)[state]

    def rate(
        self,
        inputs: Int[np.ndarray, " M"],  # noqa: ARG002
        folds: Int[np.ndarray, " N"],  # noqa: ARG002
    ) -> tuple[RateBounds, int]:
        p = torch.from_numpy(self.probabilities)
        return discrete_rate_bounds(p, [], complete=False), self.count


def _cross_fitted(
    z: Float[Tensor, "N K"],
    centres: Float[Tensor, "N K"],
    variance: Float[Tensor, "N K"] | None,
    folds: Int[np.ndarray, " N"],
) -> Float[Tensor, " N"]:
    """log q(z_i) of a Gaussian with full covariance, fitted to the inputs of all other folds.

    It is fitted to the mixture of all N(centres_j, variance_j). Where no such Gaussian can be
    computed, −∞, so that its bound is not the smallest.
    """
    log_q = torch.full((len(z),), -math.inf, dtype=z.dtype)
    for fold in range(int(folds.max()) + 1):
        used = torch.from_numpy(folds == fold)
        others = None if variance is None else variance[~used]
        fitted = GaussianMarginal.fit(centres[~used], others)
        log_q[used] = fitted.log_prob(z[used])
    return log_q.nan_to_num(-math.inf, -math.inf)
