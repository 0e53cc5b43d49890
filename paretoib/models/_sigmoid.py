"""Networks of sigmoid layers: binary and stochastic, or deterministic.

Information Multi-Bottlenecks, section 4: p(z_l|z_{l−1}) is Bernoulli(sigmoid(W z_{l−1} + b)). The
encoder is the linear map of the first layer; the head samples that layer and all layers above it.
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
from paretoib.models import MAX_PATHS
from paretoib.models._head import Head
from paretoib.models._linear import LinearEncoder
from paretoib.models._states import can_enumerate

RATE_PATHS = 32  # number of sampled paths over which measurements average p(z|x)


class SigmoidEncoder(LinearEncoder):
    """The logits of the first layer, linear in x (B, *shape)."""


class SigmoidHead(Head):
    """Map the logits of the first layer to z and q(y|z).

    `widths` are the widths of the L layers; Z is the last layer.

    If `stochastic`, training draws M = `draws` samples of each layer per sample of the layer below
    (imb algorithm 1): M^L samples of the last layer, with one axis per layer. In evaluation, P
    independent paths through all layers are drawn. p(z_l|x) is the mean over these paths
    (`BernoulliEncoding`), and z is the sample on the first path. The first `frozen` layers get no
    gradient.

    If not `stochastic`, or if `noise` is None, each layer passes its probabilities to the next
    layer.

    Raises:
        SpecError: M^L is above `MAX_PATHS`.
    """

    def __init__(self, widths: Sequence[int], *, draws: int, stochastic: bool, **head: Any) -> None:
        super().__init__(widths[-1], initial_noise=1.0, **head)
        paths = draws ** len(widths)
        if paths > MAX_PATHS:
            raise SpecError(
                f"draws: should be few enough that draws^layers is at most {MAX_PATHS}; "
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
        self.enumerable = stochastic and can_enumerate(widths)
        self.columns = max(2**w if self.enumerable else w for w in widths)

    def forward(self, raw: Float[Tensor, "B R"], noise: Float[Tensor, "B N"] | None) -> Output:
        """The layers, z and q(y|z) from the first layer's logits and standard normal noise."""
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
        prediction, parameters = self.predict(z), dict(self.objective_parameters.items())
        last = layers[-1]
        return Output(last.encoding, last.z, prediction, parameters, tuple(layers), self.frozen)

    def _mean_path(self, raw: Float[Tensor, "B R"]) -> Output:
        z = raw.sigmoid()
        for layer in self.layers:
            z = layer(z).sigmoid()
        return Output(PointEncoding(z), z, self.predict(z), dict(self.objective_parameters.items()))
