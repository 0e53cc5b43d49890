"""Predictions for one task, averaged over samples of z."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.discrete import CodebookPrediction
from paretoib.distributions import Output, Prediction, by_task
from paretoib.evaluation import relevance_bound
from paretoib.training._estimates import TaskEstimates


@dataclass(frozen=True)
class Predictions:
    """q(y|z) for N examples, for one sample of z each; M trials at once if all have an axis M.

    - `nll` is −log q(y|z).
    - `log_likelihood` is log q(y|z) too, but log q(y|x) for categorical codes, where `nll` is an
      expectation over z ~ p(z|x).
    - `expected` are the class probabilities, or the mean of a continuous Y.
    - `correct` is 1 if y is the most likely class under q(y|z), otherwise 0; for categorical codes,
      the probability of this over z ~ p(z|x). It is NaN for a continuous Y.
    """

    nll: Float[Tensor, "*M N"]
    log_likelihood: Float[Tensor, "*M N"]
    expected: Float[Tensor, "*M N C"]
    correct: Float[Tensor, "*M N"]

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """The fields in order, for `vmap`, which does not know this class."""
        return self.nll, self.log_likelihood, self.expected, self.correct


def predictions_of(output: Output, y: Tensor) -> list[Predictions]:
    """The predictions for each task; a sample axis of binary layers must have length 1."""
    return [_predictions(*task) for task in by_task(output.prediction, y)]


def _predictions(q: Prediction, y: Tensor) -> Predictions:
    if isinstance(q, CodebookPrediction):
        return Predictions(q.nll(y), -q.marginal_nll(y), q.expected, q.correct(y))
    nll, expected = q.nll(y), q.expected
    nll, expected = nll.reshape(nll.shape[-1]), expected.reshape(expected.shape[-2:])
    return Predictions(nll, -nll, expected, _correct(expected, y))


def _correct(expected: Float[Tensor, "*M N C"], y: Tensor) -> Float[Tensor, "*M N"]:
    """1 if y is the most likely class, otherwise 0; NaN for a continuous Y."""
    if y.is_floating_point():
        return torch.full_like(expected[..., 0], math.nan)
    return (expected.argmax(-1) == y).to(expected)


class SampledPredictions:
    """Sums the predictions of M trials for one task over samples of z."""

    def __init__(self) -> None:
        self._count = 0
        self._nll = self._expected = self._correct = torch.zeros(())
        self._log_likelihood = torch.tensor(-math.inf)  # the logarithm of Σ_s q(y|z_s)

    def add(self, sample: Predictions) -> None:
        """Add the predictions for one sample of z per example."""
        self._count += 1
        self._nll = self._nll + sample.nll
        self._expected = self._expected + sample.expected
        self._correct = self._correct + sample.correct
        # Sums of logarithms, because every q(y|z_s) can be too small for a float.
        total = self._log_likelihood.to(sample.log_likelihood)
        self._log_likelihood = torch.logaddexp(total, sample.log_likelihood)

    @property
    def nll(self) -> Float[Tensor, "M N"]:
        """−log q(y|z), averaged over the samples."""
        return self._nll / self._count

    def estimates(
        self, y: Tensor, at_mean: Predictions, entropy: float, ceiling: float
    ) -> TaskEstimates:
        """The estimates of the task; `at_mean` are the predictions at the mean of z.

        `entropy` is H(Y) and `ceiling` the largest possible relevance, in nats.
        """
        log_mean = self._log_likelihood - math.log(self._count)
        probability = (
            torch.full_like(log_mean, math.nan) if y.is_floating_point() else log_mean.exp()
        )
        shares = (
            _correct(at_mean.expected, y),
            _correct(self._expected, y),
            self._correct / self._count,
            probability,
        )
        return TaskEstimates(
            ceiling,
            relevance_bound(self.nll, entropy, ceiling),
            self.nll.mean(1),
            -log_mean.mean(1),
            *(share.double().mean(1) for share in shares),
        )
