"""The log-variance surrogates of the information bottleneck.

Kirsch, Lyle, Gal: Unpacking Information Bottlenecks, sections 6.2 and 6.3, observation 7: of all
densities with given variances the Gaussian has the most entropy, so
H[Z] ≤ Σ_i ½ ln(2πe Var[Z_i]), and likewise given y. Z = ẑ + ε with zero-entropy noise
ε ~ N(0, 1/(2πe)); then H[Z|X] = 0 and I(X;Z) = H[Z]. Without the noise both are unbounded below,
and fall by shrinking ẑ, which costs nothing (section 7.2).

Variances are those of the batch, by the law of total variance: Var[Z] = Var[ẑ] + 1/(2πe). So with
noise no term is ever negative, and a single example has none.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.distributions import LOG_2PI, Output
from paretoib.objectives._objective import (
    Hyper,
    Objective,
    Scalar,
    class_logits,
    prediction_losses,
)


def gaussian_entropy(variance: Float[Tensor, "*S K"]) -> Float[Tensor, "*S"]:
    """Σ_i ½ ln(2πe v_i) in nats; finite also for a variance of 0."""
    smallest = torch.finfo(variance.dtype).tiny
    return ((LOG_2PI + 1 + variance.clamp_min(smallest).log()) / 2).sum(-1)


class LogVar(Objective):
    """prediction; compression = Σ_i ½ ln(2πe Var[Z_i]) in nats, which bounds H[Z] from above."""

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        encoding = output.encoding
        variance = encoding.mean.var(0, correction=0) + encoding.variance.mean(0)
        return *prediction_losses(output, y), gaussian_entropy(variance)


class LogVarGivenY(LogVar):
    """prediction; compression = E_y Σ_i ½ ln(2πe Var[Z_i|y]) in nats, which bounds H[Z|Y].

    The mean is over the classes of the batch as often as they occur in it.
    """

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        encoding = output.encoding
        classes = class_logits(output.prediction, "log_var_given_y").shape[-1]
        member = (y.unsqueeze(1) == torch.arange(classes, device=y.device)).to(encoding.mean)
        count = member.sum(0)
        share = member / count.clamp_min(1)
        deviation = encoding.mean - member @ (share.mT @ encoding.mean)
        variance = share.mT @ (deviation.square() + encoding.variance)
        entropy = (count * gaussian_entropy(variance)).sum() / len(y)
        return *prediction_losses(output, y), entropy
