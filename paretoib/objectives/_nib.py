"""The nonlinear information bottleneck, and its square.

Kolchinsky, Tracey, Wolpert: Nonlinear Information Bottleneck, 2019: for the N inputs of a batch
with means m_i and one noise standard deviation s,
I(X;Z) ≤ log N − 1/N Σ_i log Σ_j exp(−‖m_i − m_j‖²/(2s²)). The square is that of Rodríguez Gálvez,
Thobaben, Skoglund: The Convex Information Bottleneck Lagrangian, 2020. mib eqs 37 and 39 print a
"Natural" IB with H(Z|x) or its square instead, which is in neither of these two papers: to minimise
H(Z|x) rewards codes with little noise, which keep more information on x, not less.

The bound cannot exceed log N, which is 7 bits for a batch of 128. Near log N the bound has slope
zero and says nothing about the true rate. `saturated` in the history is the share of an epoch's
examples in batches whose bound was within 5 % of log N. If this share is not 0, use larger batches.
"""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.distributions import GaussianEncoding, Output
from paretoib.objectives._objective import Hyper, Objective, Scalar, nan_like, prediction_losses
from paretoib.objectives._vib import squared

SATURATION = 0.95  # a bound of at least this share of log N counts as saturated


def kolchinsky_bound(encoding: GaussianEncoding) -> Scalar:
    """The bound on I(X;Z) in nats; the standard deviations must be equal for all inputs."""
    scaled = encoding.mean / encoding.std
    # Centring the codes reduces rounding errors in the differences of squares.
    scaled = scaled - scaled.mean(0)
    squares = scaled.square().sum(-1)
    distances = squares.unsqueeze(1) + squares - 2 * scaled @ scaled.mT
    diagonal = torch.eye(len(scaled), dtype=torch.bool, device=scaled.device)
    distances = distances.clamp_min(0).masked_fill(diagonal, 0)
    return math.log(len(scaled)) - (-distances / 2).logsumexp(-1).mean()


class NIB(Objective):
    """Losses: prediction, and compression = Kolchinsky's bound on I(X;Z) in nats."""

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        return *prediction_losses(output, y), kolchinsky_bound(output.gaussian)

    def diagnostics(
        self, losses: Float[Tensor, "M m"], examples: int
    ) -> Mapping[str, Float[Tensor, "M m"]]:
        """`saturated`: 1 if the bound is within 5 % of log N, otherwise 0."""
        saturated = self._bound_nats(losses[:, -1:]) >= SATURATION * math.log(examples)
        columns = [nan_like(losses[:, :-1]), saturated.to(losses)]
        return {"saturated": torch.cat(columns, dim=1)}

    def _bound_nats(self, compression: Tensor) -> Tensor:
        """The bound in nats, from the compression loss."""
        return compression


class NIBSquared(NIB):
    """Losses: prediction, and compression = `squared` of Kolchinsky's bound; β multiplies bits²."""

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        *predictions, nats = super().losses(output, y, hyper)
        return *predictions, squared(nats)

    def _bound_nats(self, compression: Tensor) -> Tensor:
        return (compression * math.log(2)).sqrt()
