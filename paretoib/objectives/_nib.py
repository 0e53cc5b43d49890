"""The nonlinear information bottleneck, and its square.

Kolchinsky, Tracey, Wolpert: Nonlinear Information Bottleneck, 2019: with one noise width s for all
inputs, I(X;Z) ≤ log N − 1/N Σ_i log Σ_j exp(−‖m_i − m_j‖²/(2s²)) over the N inputs of a batch.
Squared after Rodríguez Gálvez, Thobaben, Skoglund: The Convex Information Bottleneck Lagrangian,
2020. mib eqs 37 and 39 as printed have a "natural" IB with H(Z|x), which neither paper knows.

The bound cannot exceed log N, 7 bits for a batch of 128: there it has no slope, and what it says
of the true rate is nothing. `saturated` in the history is the share of the epoch's examples that
were in batches whose bound was within 5 % of that; choose a larger batch where it is not 0.
"""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.distributions import GaussianEncoding, Output
from paretoib.objectives._objective import Hyper, Objective, Scalar, no_loss, prediction_losses
from paretoib.objectives._vib import squared

NEAR = 0.95  # of log N: saturated


def kolchinsky_bound(encoding: GaussianEncoding) -> Scalar:
    """The bound on I(X;Z) in nats, for encodings that all have the same width in a dimension."""
    scaled = encoding.mean / encoding.std
    # Squares cancel in the distances: less so for codes about their centre.
    scaled = scaled - scaled.mean(0)
    squares = scaled.square().sum(-1)
    distances = squares.unsqueeze(1) + squares - 2 * scaled @ scaled.mT
    itself = torch.eye(len(scaled), dtype=torch.bool, device=scaled.device)
    distances = distances.clamp_min(0).masked_fill(itself, 0)
    return math.log(len(scaled)) - (-distances / 2).logsumexp(-1).mean()


class NIB(Objective):
    """prediction; compression = Kolchinsky's bound on I(X;Z) over the batch, in nats."""

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        return *prediction_losses(output, y), kolchinsky_bound(output.gaussian)

    def watch(
        self, losses: Float[Tensor, "M m"], examples: int
    ) -> Mapping[str, Float[Tensor, "M m"]]:
        """`saturated`: 1 where the bound is within 5 % of log N."""
        near = (self._nats(losses[:, -1:]) >= NEAR * math.log(examples)).to(losses)
        return {"saturated": torch.cat([no_loss(losses[:, :-1]), near], dim=1)}

    def _nats(self, compression: Tensor) -> Tensor:
        return compression


class NIBSquared(NIB):
    """prediction; compression = `squared` Kolchinsky's bound, so that β is per bit²."""

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        *predictions, nats = super().losses(output, y, hyper)
        return *predictions, squared(nats)

    def _nats(self, compression: Tensor) -> Tensor:
        return (compression * math.log(2)).sqrt()
