"""Holds the ruler of `paretoib.evaluation` to the models of a pack."""

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

SAMPLES = 12  # of z for each input, at test (after Alemi et al.)
RATE_INPUTS = 4096  # the rate's bounds compare all pairs of inputs
MARGINAL_INPUTS = 16_384
_FORWARD = 1024  # inputs a forward pass
_HELD = 2**24  # numbers of a matrix that are held at a time


class Evaluator:
    """Measures every trial of a stack on the same splits with the same noise.

    `prior_width` (M,) is the width of each trial's own prior.
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
        """All numbers of a split. `marginals`, from `fit_marginals`, can tighten the rate."""
        raw = self._encode(split.x)
        y = self._for_all(split.y)
        generator = _generator(split, 0)
        samples = samples if self.head.noise else 1  # where there is none, all are the same
        entropies = self.dataset.task_entropies(split)
        nothing = [torch.zeros(())] * len(entropies)
        nlls, predictions = nothing, nothing
        for _ in range(samples):
            noise = self._noise(len(split), generator)
            told, predicted = self.stack.map(_decode, raw, noise, y)
            nlls = [a + b / samples for a, b in zip(nlls, told, strict=True)]
            predictions = [a + b / samples for a, b in zip(predictions, predicted, strict=True)]
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
        return Estimates.summed(
            rate, relevance_error(torch.stack(nlls).sum(0)), tasks, self.dataset.tasks
        )

    @torch.no_grad()
    def fit_marginals(self, split: Split) -> tuple[Tensor, ...]:
        """What each trial's marginal is made of (`fit_marginals`), from its latents of a split.

        From those of at most `MARGINAL_INPUTS` examples: many more than a latent has dimensions.
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
        """Make p(y|z) of the training data the decoder of every categorical code (uib 5.4)."""
        split, classes = self.dataset.train, self.dataset.classes
        assert isinstance(classes, int)

        def table(_: Any, head: Callable[..., Output], raw: Tensor, y: Tensor) -> Tensor:
            return optimal_table(head(raw, None).z, y, classes)

        raw, y = self._encode(split.x), self._for_all(split.y)
        self.stack.state()["head.table"].copy_(self.stack.map(table, raw, y))

    @property
    def exact(self) -> bool:
        """Whether `layer_information` has something to say."""
        known = self.dataset.complete and isinstance(self.dataset.classes, int)
        return known and self.head.countable

    @torch.no_grad()
    def layer_information(self) -> list[tuple[Tensor, Tensor]]:
        """(I(Z_l;X), I(Z_l;Y)) of every layer in nats, (M,) each: exact, by enumeration.

        For data sets that are complete, and layers whose states can be counted; else empty.
        """
        if not self.exact:
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
        return list(self.stack.map(information, raw, noise, self._for_all(split.y), chunk=chunk))

    @torch.no_grad()
    def cross_entropies(self) -> dict[str, Tensor]:
        """H[Y|Z], H_Θ[Y|Z] and H_Θ[Y|X] of training examples in nats, (M,) each (uib figure 3).

        Of at most `MARGINAL_INPUTS`: p(y|z) is counted, and too sure of itself where they are few
        for its categories. Empty where Z is not one of so many categories.
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

        raw, y = self._encode(split.x), self._for_all(split.y)
        names = ("decoder_uncertainty", "decoder_cross_entropy", "prediction_cross_entropy")
        return dict(zip(names, self.stack.map(entropies, raw, y), strict=True))

    def _encode(self, x: Tensor) -> Float[Tensor, "M N R"]:
        self.stack.train(False)
        parts = [
            self.stack.map(lambda encoder, _, part: encoder(part), self._for_all(part))
            for part in x.split(_FORWARD)
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
                nothing = torch.full((), math.nan, device=raw.device)
                return nothing, nothing, nothing
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
        return self._for_all(torch.randn(shape, generator=generator, device=generator.device))

    def _for_all(self, tensor: Tensor) -> Tensor:
        return tensor.expand(self.stack.size, *tensor.shape)

    @staticmethod
    def _chunk(rows: int, columns: int) -> int:
        """How many trials' (rows, columns) matrices are held at a time."""
        return max(1, _HELD // (rows * columns))


Told = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]


def _decode(_: Any, head: Callable[..., Output], raw: Tensor, noise: Tensor, y: Tensor) -> Told:
    """−log q(y|z) of each example, and the class probabilities, or the mean of q; by task."""
    return _read(head(raw, noise), y)


def _decode_mean(_: Any, head: Callable[..., Output], raw: Tensor, y: Tensor) -> Told:
    """The same at the mean latent."""
    return _read(head(raw, None), y)


def _read(output: Output, y: Tensor) -> Told:
    """The same of an output; the mean over the samples that it has of each example."""
    tasks = by_task(output.prediction, y)
    nlls = [q.nll(target).reshape(-1, len(y)).mean(0) for q, target in tasks]
    expected = [q.expected for q, _ in tasks]
    return tuple(nlls), tuple(e.reshape(-1, *e.shape[-2:]).mean(0) for e in expected)


def _generator(split: Split, seed: int) -> torch.Generator:
    return torch.Generator(split.x.device).manual_seed(seed)
