"""Networks of sigmoid layers: binary and stochastic, or deterministic.

Information Multi-Bottlenecks, section 4: p(z_l|z_{l−1}) is Bernoulli(sigmoid(W z_{l−1} + b)). The
encoder is the first layer's linear map, which needs no noise; all else is here.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretoib.discrete import BernoulliEncoding, BinaryLayer, raiko
from paretoib.distributions import Output, PointEncoding
from paretoib.errors import SpecError
from paretoib.models import MOST_PATHS
from paretoib.models._head import Head
from paretoib.models._linear import LinearEncoder
from paretoib.models._states import countable

RATE_PATHS = 32  # of which the ruler takes p(z|x) for the mean


class SigmoidEncoder(LinearEncoder):
    """The first layer's logits, linear in x (B, *shape)."""


class SigmoidHead(Head):
    """From the logits of the first layer to Z, the last of the layers of `widths`, and q(y|z).

    Where it is `stochastic`, training draws M samples (`draws`) of each layer for each one of the
    layer below, as in imb algorithm 1: M^L of the last one, an axis of samples for each layer. In
    evaluation noise for P independent paths through all layers gives p(z_l|x) as the mean over
    them (`BernoulliEncoding`), and z along the first. The first `frozen` layers get no gradient.

    Without noise each layer hands on its probabilities, as all of a deterministic network do.

    Raises:
        SpecError: M^L is above `MOST_PATHS`.
    """

    def __init__(self, widths: Sequence[int], *, draws: int, stochastic: bool, **head: Any) -> None:
        super().__init__(widths[-1], initial_noise=1.0, **head)
        paths = draws ** len(widths)
        if paths > MOST_PATHS:
            raise SpecError(
                f"draws: should be few enough that draws^layers is at most {MOST_PATHS}; "
                f"found {draws}^{len(widths)}"
            )
        self.stochastic = stochastic
        self.draws = draws
        self.widths = tuple(widths)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.prior = nn.ParameterList([torch.zeros(w) for w in widths] if stochastic else [])
        sampled = self.widths if stochastic else ()
        self.noise = sum(sampled)
        self.training_noise = sum(draws**i * w for i, w in enumerate(sampled, 1))
        self.paths = RATE_PATHS if stochastic and len(widths) > 1 else 1
        self.countable = stochastic and countable(widths)
        self.columns = max(2**w if self.countable else w for w in widths)

    def forward(self, raw: Float[Tensor, "B R"], noise: Float[Tensor, "B N"] | None) -> Output:
        """The layers, z and q(y|z) for the first layer's logits and standard normal noise."""
        if not self.stochastic or noise is None:
            return self._mean_path(raw)
        paths: list[int] = [] if self.training else [noise.shape[-1] // self.noise]
        layers: list[BinaryLayer] = []
        used, logits, z, maps = 0, raw, raw, [None, *self.layers]
        for i, (width, below) in enumerate(zip(self.widths, maps, strict=True)):
            if below is not None:
                logits = below(z)
            if i < self.frozen:
                logits = logits.detach()
            if self.training:
                paths.append(self.draws)
            count = math.prod(paths) * width
            part = noise[:, used : used + count].unflatten(-1, (*paths, width)).movedim(0, -2)
            used += count
            p = logits.sigmoid()
            z = raiko(p.unsqueeze(-3) if self.training or not i else p, part)
            first = z.reshape(-1, *z.shape[-2:])[0]
            weights = () if below is None else (below.weight, below.bias)
            layers.append(BinaryLayer(BernoulliEncoding(logits), first, self.prior[i], *weights))
        prediction, own = self.predict(z), dict(self.own.items())
        last = layers[-1]
        return Output(last.encoding, last.z, prediction, own, tuple(layers), self.frozen)

    def _mean_path(self, raw: Float[Tensor, "B R"]) -> Output:
        z = raw.sigmoid()
        for layer in self.layers:
            z = layer(z).sigmoid()
        return Output(PointEncoding(z), z, self.predict(z), dict(self.own.items()))
