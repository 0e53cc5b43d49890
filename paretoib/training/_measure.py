"""Measurement of the models of a pack with the estimators of `paretoib.evaluation`."""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.data import Dataset, Split
from paretoib.discrete import CodebookPrediction
from paretoib.distributions import Output
from paretoib.evaluation import (
    BLOCK,
    RATE_INPUTS,
    SAMPLES,
    code_rate,
    code_tables,
    discrete_information,
    fit_marginals,
    relevance_error,
)
from paretoib.models import CategoricalHead, optimal_table
from paretoib.objectives import decoder_uncertainty, joint_probabilities
from paretoib.training._estimates import Estimates
from paretoib.training._predictions import Predictions, SampledPredictions, predictions_of
from paretoib.training._stack import Stack

MARGINAL_INPUTS = 16_384  # limit on the training examples for marginals and cross-entropies
_FORWARD_BATCH = 1024  # inputs per forward pass
_MAX_ELEMENTS = 2**24  # limit on the matrix elements in memory at a time


class Evaluator:
    """Measures all trials of a stack on the same splits with the same noise.

    `prior_width` (M,) is the standard deviation of each trial's prior.
    """

    def __init__(self, stack: Stack, dataset: Dataset, prior_width: Float[Tensor, " M"]) -> None:
        self.stack = stack
        self.dataset = dataset
        self.head = stack.head
        self.prior_width = prior_width

    @torch.no_grad()
    def estimate(
        self,
        split: Split,
        *,
        samples: int = SAMPLES,
        marginals: tuple[Tensor, ...] = (),
    ) -> Estimates:
        """All estimates on a split.

        `marginals` from `fit_marginals` can tighten the upper bound on the rate.
        """
        raw = self._encode(split.x)
        y = self._expand(split.y)
        generator = _generator(split, 0)
        samples = samples if self.head.noise else 1  # without noise all samples are equal
        entropies = self.dataset.task_entropies(split)
        sampled = [SampledPredictions() for _ in entropies]
        for _ in range(samples):
            noise = self._noise(len(split), generator)
            for task, parts in zip(sampled, self.stack.map(_decode, raw, noise, y), strict=True):
                task.add(Predictions(*parts))
        at_mean = [Predictions(*parts) for parts in self.stack.map(_decode_mean, raw, y)]
        tasks = [
            task.estimates(labels, mean, entropy, ceiling)
            for task, labels, mean, (entropy, ceiling) in zip(
                sampled, self.dataset.targets(split), at_mean, entropies, strict=True
            )
        ]
        inputs = len(split) // self.dataset.copies
        complete = self.dataset.complete and len(split) == len(self.dataset.test)
        complete = complete and inputs <= RATE_INPUTS
        first = slice(None, inputs if complete else RATE_INPUTS)
        if self.head.paths > 1:
            noise = self._noise(raw[:, first].shape[1], generator, self.head.paths)
        rate = self._rate(raw[:, first], noise[:, first], marginals, complete)
        error = relevance_error(torch.stack([task.nll for task in sampled]).sum(0))
        return Estimates.from_tasks(rate, error, tasks, self.dataset.tasks, samples)

    @torch.no_grad()
    def fit_marginals(self, split: Split) -> tuple[Tensor, ...]:
        """The fitted marginals of all trials, from their latents on a split.

        At most `MARGINAL_INPUTS` examples are used. See `paretoib.evaluation.fit_marginals`.
        """
        split = split.first(MARGINAL_INPUTS)
        raw = self._encode(split.x)
        noise = self._noise(len(split), _generator(split, 1))

        def fit(_: Any, head: Callable[..., Output], raw: Tensor, noise: Tensor) -> Any:
            return fit_marginals(head(raw, noise))

        chunk = self._chunk(len(split), self.head.columns)
        return tuple(self.stack.map(fit, raw, noise, chunk=chunk))

    @torch.no_grad()
    def refresh_decoder(self) -> None:
        """Set the decoder of every categorical code to p(y|z) of the training data."""
        split, classes = self.dataset.train, self.dataset.classes
        assert isinstance(classes, int)

        def table(_: Any, head: Callable[..., Output], raw: Tensor, y: Tensor) -> Tensor:
            return optimal_table(head(raw, None).z, y, classes)

        raw, y = self._encode(split.x), self._expand(split.y)
        self.stack.state()["head.table"].copy_(self.stack.map(table, raw, y))

    @property
    def has_layer_information(self) -> bool:
        """Whether `layer_information` returns exact values."""
        one_label = isinstance(self.dataset.classes, int)
        return self.dataset.complete and one_label and self.head.enumerable

    @torch.no_grad()
    def layer_information(self) -> list[tuple[Tensor, Tensor]]:
        """Exact (I(Z_l;X), I(Z_l;Y)) of every layer in nats, (M,) each, by enumeration.

        The list is empty unless the data set is complete, Y is one label, and the states of the
        layers can be enumerated.
        """
        if not self.has_layer_information:
            return []
        split, classes = self.dataset.test, self.dataset.classes
        assert isinstance(classes, int)
        inputs = len(split) // self.dataset.copies
        raw = self._encode(split.x[:inputs])
        noise = self._noise(inputs, _generator(split, 0))

        def information(
            _: Any, head: Callable[..., Output], raw: Tensor, noise: Tensor, y: Tensor
        ) -> Any:
            tables = code_tables(head(raw, noise))
            return tuple(discrete_information(p, y, classes) for p in tables)

        chunk = self._chunk(inputs, self.head.columns)
        return list(self.stack.map(information, raw, noise, self._expand(split.y), chunk=chunk))

    @torch.no_grad()
    def cross_entropies(self) -> dict[str, Tensor]:
        """H[Y|Z], H_Θ[Y|Z] and H_Θ[Y|X] on training examples in nats, (M,) each (uib figure 3).

        At most `MARGINAL_INPUTS` examples are used. p(y|z) is estimated from these examples, which
        makes H[Y|Z] too small if there are few examples per category. The result is empty unless Z
        is categorical.
        """
        if not isinstance(self.head, CategoricalHead):
            return {}
        split, classes = self.dataset.train.first(MARGINAL_INPUTS), self.dataset.classes
        assert isinstance(classes, int)

        def entropies(_: Any, head: Callable[..., Output], raw: Tensor, y: Tensor) -> Any:
            output = head(raw, None)
            q = output.prediction
            assert isinstance(q, CodebookPrediction)
            exact = decoder_uncertainty(joint_probabilities(output.z, y, classes))
            return exact, q.nll(y).mean(), q.marginal_nll(y).mean()

        raw, y = self._encode(split.x), self._expand(split.y)
        names = ("decoder_uncertainty", "decoder_cross_entropy", "prediction_cross_entropy")
        return dict(zip(names, self.stack.map(entropies, raw, y), strict=True))

    def _encode(self, x: Tensor) -> Float[Tensor, "M N R"]:
        self.stack.train(False)
        parts = [
            self.stack.map(lambda encoder, _, part: encoder(part), self._expand(part))
            for part in x.split(_FORWARD_BATCH)
        ]
        return torch.cat(parts, dim=1)

    def _rate(
        self, raw: Tensor, noise: Tensor, marginals: tuple[Tensor, ...], complete: bool
    ) -> tuple[Tensor, Tensor, Tensor]:

        def rate(
            _: Any, head: Callable[..., Output], raw: Tensor, noise: Tensor, width: Tensor, *q: Any
        ) -> tuple[Tensor, Tensor, Tensor]:
            bounds = code_rate(head(raw, noise), noise, width, q, complete=complete)
            if bounds is None:
                nan = torch.full((), math.nan, device=raw.device)
                return nan, nan, nan
            return bounds.upper, bounds.lower, bounds.error

        chunk = self._chunk(raw.shape[1] * self.head.paths, max(BLOCK, self.head.columns))
        return self.stack.map(rate, raw, noise, self.prior_width, *marginals, chunk=chunk)

    def _noise(
        self, count: int, generator: torch.Generator, paths: int = 1
    ) -> Float[Tensor, "M N R"]:
        shape = (count, paths * self.head.noise)
        return self._expand(torch.randn(shape, generator=generator, device=generator.device))

    def _expand(self, tensor: Tensor) -> Tensor:
        return tensor.expand(self.stack.size, *tensor.shape)

    @staticmethod
    def _chunk(rows: int, columns: int) -> int:
        """The number of trials to measure at a time; each trial needs a (rows, columns) matrix."""
        return max(1, _MAX_ELEMENTS // (rows * columns))


def _decode(
    _: Any, head: Callable[..., Output], raw: Tensor, noise: Tensor, y: Tensor
) -> tuple[tuple[Tensor, ...], ...]:
    """The parts of the `Predictions` for each task."""
    return tuple(task.parts for task in predictions_of(head(raw, noise), y))


def _decode_mean(
    _: Any, head: Callable[..., Output], raw: Tensor, y: Tensor
) -> tuple[tuple[Tensor, ...], ...]:
    """The results of `_decode` at the mean latent."""
    return tuple(task.parts for task in predictions_of(head(raw, None), y))


def _generator(split: Split, seed: int) -> torch.Generator:
    return torch.Generator(split.x.device).manual_seed(seed)
