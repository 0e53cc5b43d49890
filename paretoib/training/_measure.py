"""Holds the ruler of `paretoib.evaluation` to the models of a pack."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.data._dataset import Dataset, Split
from paretoib.distributions import (
    CategoricalPrediction,
    Output,
    PointEncoding,
    by_task,
    standard_normal_log_prob,
)
from paretoib.evaluation import BLOCK, GaussianMarginal, rate_bounds, relevance_bound
from paretoib.records import Metrics
from paretoib.training._stack import Stack

SAMPLES = 12  # of z for each input, at test (after Alemi et al.)
RATE_INPUTS = 4096  # the rate's bounds compare all pairs of inputs
MARGINAL_INPUTS = 16_384
_FORWARD = 1024  # inputs a forward pass
_HELD = 2**24  # numbers of a matrix that are held at a time


@dataclass(frozen=True)
class TaskEstimates:
    """Of M trials, in nats, (M,) each; `ceiling` is the task's own."""

    ceiling: float
    relevance: Tensor
    cross_entropy: Tensor
    accuracy: Tensor
    accuracy_sampled: Tensor


@dataclass(frozen=True)
class Estimates:
    """Of M trials on one split, in nats, (M,) each: sums over tasks, and means of accuracies.

    Rates are NaN for an encoder without noise, accuracies for a continuous Y. The rates are those
    of the first `RATE_INPUTS` examples. `tasks` are those that have names.
    """

    rate: Tensor
    rate_lower: Tensor
    rate_error: Tensor
    relevance: Tensor
    relevance_error: Tensor
    cross_entropy: Tensor
    accuracy: Tensor
    accuracy_sampled: Tensor
    ceiling: float
    tasks: Mapping[str, TaskEstimates] = field(default_factory=dict)


class Ruler:
    """Measures every trial of a stack on the same splits with the same noise.

    `prior_width` (M,) is the width of each trial's own prior; `latent` is K.
    """

    def __init__(
        self, stack: Stack, dataset: Dataset, latent: int, prior_width: Float[Tensor, " M"]
    ) -> None:
        self.stack = stack
        self.dataset = dataset
        self.latent = latent
        self.prior_width = prior_width

    @torch.no_grad()
    def estimate(
        self,
        split: Split,
        *,
        samples: int = SAMPLES,
        marginals: GaussianMarginal | None = None,
    ) -> Estimates:
        """All numbers of a split. `marginals`, from `fit_marginals`, can tighten the rate."""
        raw = self._encode(split.x)
        y = self._for_all(split.y)
        generator = torch.Generator(raw.device).manual_seed(0)
        entropies = self.dataset.task_entropies(split)
        nlls = [torch.zeros(())] * len(entropies)
        probabilities = nlls
        for _ in range(samples):
            noise = self._noise(len(split), generator)
            sampled, predicted = self.stack.map(_decode, raw, noise, y)
            nlls = [a + b / samples for a, b in zip(nlls, sampled, strict=True)]
            probabilities = [a + b / samples for a, b in zip(probabilities, predicted, strict=True)]
        _, at_mean = self.stack.map(_decode, raw, torch.zeros_like(noise), y)
        tasks = [
            TaskEstimates(
                ceiling,
                relevance_bound(nll, entropy, ceiling)[0],
                nll.mean(1),
                self._accuracy(mean, labels),
                self._accuracy(sampled, labels),
            )
            for (entropy, ceiling), nll, mean, sampled, labels in zip(
                entropies, nlls, at_mean, probabilities, self.dataset.targets(split), strict=True
            )
        ]
        _, relevance_error = relevance_bound(torch.stack(nlls).sum(0), 0.0, 0.0)
        first = slice(None, RATE_INPUTS)
        return Estimates(
            *self._rate(raw[:, first], noise[:, first], marginals),
            torch.stack([task.relevance for task in tasks]).sum(0),
            relevance_error,
            torch.stack([task.cross_entropy for task in tasks]).sum(0),
            torch.stack([task.accuracy for task in tasks]).mean(0),
            torch.stack([task.accuracy_sampled for task in tasks]).mean(0),
            sum(task.ceiling for task in tasks),
            dict(zip(self.dataset.tasks, tasks, strict=False)),
        )

    @torch.no_grad()
    def fit_marginals(self, split: Split) -> GaussianMarginal:
        """A full-covariance Gaussian for each trial, fitted to its latents of a split.

        To those of at most `MARGINAL_INPUTS` examples: many more than a latent has dimensions.
        """
        split = split.first(MARGINAL_INPUTS)
        raw = self._encode(split.x)
        noise = self._noise(len(split), torch.Generator(raw.device).manual_seed(1))

        def fit(_: Any, head: Callable[..., Output], raw: Tensor, noise: Tensor) -> Any:
            fitted = GaussianMarginal.fit(head(raw, noise).z)
            return fitted.mean, fitted.factor

        chunk = self._chunk(len(split), self.latent)
        return GaussianMarginal(*self.stack.map(fit, raw, noise, chunk=chunk))

    def _encode(self, x: Tensor) -> Float[Tensor, "M N R"]:
        self.stack.train(False)
        parts = [
            self.stack.map(lambda encoder, _, part: encoder(part), self._for_all(part))
            for part in x.split(_FORWARD)
        ]
        return torch.cat(parts, dim=1)

    def _rate(
        self, raw: Tensor, noise: Tensor, marginals: GaussianMarginal | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        fitted = () if marginals is None else (marginals.mean, marginals.factor)

        def rate(
            _: Any, head: Callable[..., Output], raw: Tensor, noise: Tensor, width: Tensor, *q: Any
        ) -> tuple[Tensor, Tensor, Tensor]:
            encoding = head(raw, noise).encoding
            if isinstance(encoding, PointEncoding):
                nothing = torch.full((), math.nan, device=raw.device)
                return nothing, nothing, nothing
            # In single precision, rounding a latent far from 0 can exceed the noise on it.
            encoding = encoding.double()
            z = encoding.sample(noise.double())
            densities = [standard_normal_log_prob(z, width)]
            if q:
                densities.append(GaussianMarginal(*q).log_prob(z))
            bounds = rate_bounds(encoding, z, densities)
            return bounds.upper, bounds.lower, bounds.error

        chunk = self._chunk(raw.shape[1], max(BLOCK, self.latent))
        return self.stack.map(rate, raw, noise, self.prior_width, *fitted, chunk=chunk)

    def _accuracy(self, probabilities: Tensor, y: Tensor) -> Tensor:
        if self.dataset.classes is None:
            return torch.full((self.stack.size,), math.nan, device=probabilities.device)
        return (probabilities.argmax(-1) == y).double().mean(1)

    def _noise(self, count: int, generator: torch.Generator) -> Float[Tensor, "M N K"]:
        shape = (count, self.latent)
        return self._for_all(torch.randn(shape, generator=generator, device=generator.device))

    def _for_all(self, tensor: Tensor) -> Tensor:
        return tensor.expand(self.stack.size, *tensor.shape)

    @staticmethod
    def _chunk(rows: int, columns: int) -> int:
        """How many trials' (rows, columns) matrices are held at a time."""
        return max(1, _HELD // (rows * columns))


def _decode(
    _: Any, head: Callable[..., Output], raw: Tensor, noise: Tensor, y: Tensor
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """−log q(y|z) of each example, and the class probabilities, or the mean of q; by task."""
    tasks = by_task(head(raw, noise).prediction, y)
    return tuple(q.nll(target) for q, target in tasks), tuple(
        q.logits.softmax(-1) if isinstance(q, CategoricalPrediction) else q.mean for q, _ in tasks
    )


def to_metrics(estimates: Estimates, trial: int, examples: int) -> Metrics:
    """One trial's numbers as a record, in bits."""

    def number(values: Tensor, unit: float = 1.0) -> float | None:
        value = float(values[trial]) / unit
        return value if math.isfinite(value) else None

    def bits(values: Tensor) -> float | None:
        return number(values, math.log(2))

    def told(of: Estimates | TaskEstimates) -> dict[str, float | None]:
        relevance = float(of.relevance[trial]) / math.log(2)
        return {
            "relevance_bits": relevance,
            "ceiling_bits": of.ceiling / math.log(2),
            "lost_bits": max(0.0, of.ceiling / math.log(2) - relevance),
            "cross_entropy_bits": float(of.cross_entropy[trial]) / math.log(2),
            "accuracy": number(of.accuracy),
            "accuracy_sampled": number(of.accuracy_sampled),
        }

    return Metrics.model_validate(
        {
            "examples": examples,
            "rate_bits": bits(estimates.rate),
            "rate_lower_bits": bits(estimates.rate_lower),
            "rate_se_bits": bits(estimates.rate_error),
            "relevance_se_bits": float(estimates.relevance_error[trial]) / math.log(2),
            **told(estimates),
            "tasks": {name: told(task) for name, task in estimates.tasks.items()},
        }
    )
