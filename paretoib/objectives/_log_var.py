"""The log-variance surrogates of the information bottleneck.

Kirsch, Lyle, Gal: Unpacking Information Bottlenecks, sections 6.2 and 6.3, observation 7: the
Gaussian has the largest entropy of all densities with given variances, so
H[Z] ≤ Σ_i ½ ln(2πe Var[Z_i]). The same holds for H[Z|y] and the variances given y. Z = ẑ + ε, where
ẑ is the encoder's output and ε ~ N(0, 1/(2πe)) is zero-entropy noise; so H[Z|X] = 0 and
I(X;Z) = H[Z]. Without the noise both bounds are unbounded below: a smaller ẑ lowers them without
loss of relevance. Section 7.2 shows this by rescaling: after every epoch it normalises the latent,
scales it down, and scales the decoder up. `zero_entropy_noise=False` is another experiment, a
training without noise.

Variances are estimated from the batch, by the law of total variance: Var[Z] = Var[ẑ] + 1/(2πe).
With noise, no term ½ ln(2πe Var[Z_i]) is negative; for a batch of one example all terms are zero.
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
    """Σ_i ½ ln(2πe v_i) in nats; finite even for a variance of 0."""
    smallest = torch.finfo(variance.dtype).tiny
    return ((LOG_2PI + 1 + variance.clamp_min(smallest).log()) / 2).sum(-1)


class LogVar(Objective):
    """Losses: prediction, and compression = Σ_i ½ ln(2πe Var[Z_i]) in nats, a bound on H[Z]."""

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        encoding = output.encoding
        variance = encoding.mean.var(0, correction=0) + encoding.variance.mean(0)
        return *prediction_losses(output, y), gaussian_entropy(variance)


class LogVarGivenY(LogVar):
    """Losses: prediction, and compression = E_y Σ_i ½ ln(2πe Var[Z_i|y]) in nats.

    Compression is an upper bound on H[Z|Y]. E_y weighs each class by its frequency in the batch.
    """

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        encoding = output.encoding
        classes = class_logits(output.prediction, "log_var_given_y").shape[-1]
        indicator = (y.unsqueeze(1) == torch.arange(classes, device=y.device)).to(encoding.mean)
        count = indicator.sum(0)
        share = indicator / count.clamp_min(1)
        deviation = encoding.mean - indicator @ (share.mT @ encoding.mean)
        variance = share.mT @ (deviation.square() + encoding.variance)
        entropy = (count * gaussian_entropy(variance)).sum() / len(y)
        return *prediction_losses(output, y), entropy
