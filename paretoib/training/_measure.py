"""Measurement of the models of a pack with the estimators of `paretoib.evaluation`."""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.data import Dataset, Split
from paretoib.discrete import CodebookPrediction
from paretoib.distributions import Output, by_task
from paretoib.evaluation import (
    BLOCK,
    code_rate,
    code_tables,
    discrete_information,
    fit_marginals,
    relevance_bound,
    relevance_error,
)
from paretoib.models import CategoricalHead, optimal_table
from paretoib.objectives import decoder_uncertainty, joint_probabilities
from paretoib.training._estimates import Estimates, TaskEstimates
from paretoib.training._stack import Stack

SAMPLES = 12  # samples of z per input in the final measurement, as in Alemi et al.
RATE_INPUTS = 4096  # limit on the inputs for bounds on the rate, which compare all pairs of inputs
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
        zeros = [torch.zeros(())] * len(entropies)
        nlls, predictions = zeros, zeros
        for _ in range(samples):
            noise = self._noise(len(split), generator)
            sample_nlls, sampled = self.stack.map(_decode, raw, noise, y)
            nlls = [a + b / samples for a, b in zip(nlls, sample_nlls, strict=True)]
            predictions = [a + b / samples for a, b in zip(predictions, sampled, strict=True)]
        _, at_mean = self.stack.map(_decode_mean, raw, y)
        tasks = [
            TaskEstimates(
                ceiling,
                relevance_bound(nll, entropy, ceiling),
                nll.mean(1),
                self._accuracy(mean, labels),
                self._accuracy(sampled, labels),
            )
            for (entropy, ceiling), nll, mean, sampled, labels in zip(
                entropies, nlls, at_mean, predictions, self.dataset.targets(split), strict=True
            )
        ]
        first = slice(None, RATE_INPUTS)
        if self.head.paths > 1:
            noise = self._noise(min(len(split), RATE_INPUTS), generator, self.head.paths)
        complete = self.dataset.complete and len(split) == len(self.dataset.test) <= RATE_INPUTS
        rate = self._rate(raw[:, first], noise[:, first], marginals, complete)
        return Estimates.from_tasks(
            rate, relevance_error(torch.stack(nlls).sum(0)), tasks, self.dataset.tasks
        )

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
        raw, noise = self._encode(split.x), self._noise(len(split), _generator(split, 0))

        def information(
            _: Any, head: Callable[..., Output], raw: Tensor, noise: Tensor, y: Tensor
        ) -> Any:
            tables = code_tables(head(raw, noise))
            return tuple(discrete_information(p, y, classes) for p in tables)

        chunk = self._chunk(len(split), self.head.columns)
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
            predicted = -q.log_expected.gather(-1, y.unsqueeze(-1)).mean()
            return exact, q.nll(y).mean(), predicted

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

    def _accuracy(self, probabilities: Tensor, y: Tensor) -> Tensor:
        if self.dataset.classes is None:
            return torch.full((self.stack.size,), math.nan, device=probabilities.device)
        return (probabilities.argmax(-1) == y).double().mean(1)

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


_TaskOutputs = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]


def _decode(
    _: Any, head: Callable[..., Output], raw: Tensor, noise: Tensor, y: Tensor
) -> _TaskOutputs:
    """For each task: −log q(y|z), and the class probabilities or the mean of a continuous Y."""
    return _by_task(head(raw, noise), y)


def _decode_mean(_: Any, head: Callable[..., Output], raw: Tensor, y: Tensor) -> _TaskOutputs:
    """The results of `_decode` at the mean latent."""
    return _by_task(head(raw, None), y)


def _by_task(output: Output, y: Tensor) -> _TaskOutputs:
    """The results of `_decode` for an output, averaged over all samples of each example."""
    tasks = by_task(output.prediction, y)
    nlls = [q.nll(target).reshape(-1, len(y)).mean(0) for q, target in tasks]
    expected = [q.expected for q, _ in tasks]
    return tuple(nlls), tuple(e.reshape(-1, *e.shape[-2:]).mean(0) for e in expected)


def _generator(split: Split, seed: int) -> torch.Generator:
    return torch.Generator(split.x.device).manual_seed(seed)
