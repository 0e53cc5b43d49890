"""Holds the ruler of `paretoib.evaluation` to the models of a pack."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.data._dataset import Dataset, Split
from paretoib.distributions import Output
from paretoib.evaluation import (
    BLOCK,
    code_rate,
    code_tables,
    discrete_information,
    fit_marginals,
    relevance_bound,
)
from paretoib.models._categorical import optimal_table
from paretoib.records import Metrics
from paretoib.training._stack import Stack

SAMPLES = 12  # of z for each input, at test (after Alemi et al.)
RATE_INPUTS = 4096  # the rate's bounds compare all pairs of inputs
MARGINAL_INPUTS = 16_384
_FORWARD = 1024  # inputs a forward pass
_HELD = 2**24  # numbers of a matrix that are held at a time


@dataclass(frozen=True)
class Estimates:
    """Of M trials on one split, in nats, (M,) each.

    Rates are NaN for an encoder without noise, accuracies for a continuous Y. The rates are those
    of the first `RATE_INPUTS` examples.
    """

    rate: Tensor
    rate_lower: Tensor
    rate_error: Tensor
    relevance: Tensor
    relevance_error: Tensor
    cross_entropy: Tensor
    accuracy: Tensor
    accuracy_sampled: Tensor


class Ruler:
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
        nll = probabilities = torch.zeros(())
        for _ in range(samples):
            noise = self._noise(len(split), generator)
            sampled, predicted = self.stack.map(_decode, raw, noise, y)
            nll = nll + sampled / samples
            probabilities = probabilities + predicted / samples
        entropy, ceiling = self.dataset.entropies(split)
        relevance, relevance_error = relevance_bound(nll, entropy, ceiling)
        _, at_mean = self.stack.map(_decode_mean, raw, y)
        first = slice(None, RATE_INPUTS)
        if self.head.paths > 1:
            noise = self._noise(min(len(split), RATE_INPUTS), generator, self.head.paths)
        complete = self.dataset.complete and len(split) == len(self.dataset.test) <= RATE_INPUTS
        return Estimates(
            *self._rate(raw[:, first], noise[:, first], marginals, complete),
            relevance,
            relevance_error,
            nll.mean(1),
            self._accuracy(at_mean, split.y),
            self._accuracy(probabilities, split.y),
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
        split, classes = self.dataset.train, self.dataset.classes or 0

        def table(_: Any, head: Callable[..., Output], raw: Tensor, y: Tensor) -> Tensor:
            return optimal_table(head(raw, None).z, y, classes)

        raw, y = self._encode(split.x), self._for_all(split.y)
        self.stack.state()["head.table"].copy_(self.stack.map(table, raw, y))

    @property
    def exact(self) -> bool:
        """Whether `layer_information` has something to say."""
        known = self.dataset.complete and self.dataset.classes is not None
        return known and self.head.countable

    @torch.no_grad()
    def layer_information(self) -> list[tuple[Tensor, Tensor]]:
        """(I(Z_l;X), I(Z_l;Y)) of every layer in nats, (M,) each: exact, by enumeration.

        For data sets that are complete, and layers whose states can be counted; else empty.
        """
        if not self.exact:
            return []
        classes = self.dataset.classes or 0
        split = self.dataset.test
        raw, noise = self._encode(split.x), self._noise(len(split), _generator(split, 0))

        def information(
            _: Any, head: Callable[..., Output], raw: Tensor, noise: Tensor, y: Tensor
        ) -> Any:
            tables = code_tables(head(raw, noise))
            return tuple(discrete_information(p, y, classes) for p in tables)

        chunk = self._chunk(len(split), self.head.columns)
        return list(self.stack.map(information, raw, noise, self._for_all(split.y), chunk=chunk))

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


def _decode(
    _: Any, head: Callable[..., Output], raw: Tensor, noise: Tensor, y: Tensor
) -> tuple[Tensor, Tensor]:
    """−log q(y|z) of each example, and the class probabilities, or the mean of q."""
    return _read(head(raw, noise), y)


def _decode_mean(
    _: Any, head: Callable[..., Output], raw: Tensor, y: Tensor
) -> tuple[Tensor, Tensor]:
    """The same at the mean latent."""
    return _read(head(raw, None), y)


def _read(output: Output, y: Tensor) -> tuple[Tensor, Tensor]:
    """The same of an output; the mean over the samples that it has of each example."""
    nll, q = output.prediction.nll(y), output.prediction.expected
    return nll.reshape(-1, len(y)).mean(0), q.reshape(-1, *q.shape[-2:]).mean(0)


def _generator(split: Split, seed: int) -> torch.Generator:
    return torch.Generator(split.x.device).manual_seed(seed)


def to_metrics(estimates: Estimates, trial: int, ceiling: float, examples: int) -> Metrics:
    """One trial's numbers as a record, in bits."""

    def number(values: Tensor, unit: float = 1.0) -> float | None:
        value = float(values[trial]) / unit
        return value if math.isfinite(value) else None

    def bits(values: Tensor) -> float | None:
        return number(values, math.log(2))

    relevance = float(estimates.relevance[trial]) / math.log(2)
    return Metrics(
        examples=examples,
        rate_bits=bits(estimates.rate),
        rate_lower_bits=bits(estimates.rate_lower),
        rate_se_bits=bits(estimates.rate_error),
        relevance_bits=relevance,
        relevance_se_bits=float(estimates.relevance_error[trial]) / math.log(2),
        ceiling_bits=ceiling / math.log(2),
        lost_bits=max(0.0, ceiling / math.log(2) - relevance),
        cross_entropy_bits=float(estimates.cross_entropy[trial]) / math.log(2),
        accuracy=number(estimates.accuracy),
        accuracy_sampled=number(estimates.accuracy_sampled),
    )
