"""The deterministic information bottleneck, which compresses H[Z] instead of I(X;Z).

Strouse, Schwab: The Deterministic Information Bottleneck, 2017. The bounds are those of Kirsch,
Lyle, Gal: Unpacking Information Bottlenecks, appendix A.6:
H[Z] ≤ ½ ln det(2πe Cov[Z]) ≤ Σ_i ½ ln(2πe Var[Z_i]). Learned noise would shrink to zero, where the
loss is −∞. Therefore Z is the encoder's output plus zero-entropy noise.
"""

from typing import Literal

import torch
from torch import Tensor

from paretoib.distributions import LOG_2PI, Output
from paretoib.objectives._log_var import LogVar
from paretoib.objectives._objective import Hyper, Scalar, prediction_losses


class DIB(LogVar):
    """Losses: prediction, and compression = an upper bound on H[Z] in nats.

    `covariance="diagonal"` gives the log-variance bound of `log_var`. `covariance="full"` gives a
    tighter bound, because it uses the correlations between dimensions.

    The covariance is that of the batch, which makes both values too small on average. For ẑ from
    N(0, I) with K = 32 dimensions, the entropy of Z is 66.8 bits, and the mean of 400 estimates is
    below it by

    | examples in a batch | full, bits | diagonal, bits |
    |---|---|---|
    | 16 | 31.3 | 2.9 |
    | 32 | 15.3 | 1.3 |
    | 128 | 3.0 | 0.35 |
    | 1024 | 0.36 | 0.05 |

    In a batch of K examples or fewer, the sample covariance of ẑ has directions without any
    variance, where only the noise is left, and the full value no longer is a bound. Specs refuse
    such batch sizes; the last batch of an epoch may still be small.
    """

    def __init__(self, *, covariance: Literal["diagonal", "full"]) -> None:
        super().__init__()
        self.covariance = covariance

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        if self.covariance == "diagonal":
            return super().losses(output, y, hyper)
        encoding = output.encoding
        centred = encoding.mean - encoding.mean.mean(0)
        covariance = centred.mT @ centred / len(y) + encoding.variance.mean(0).diag_embed()
        size = covariance.shape[-1]
        entropy = (size * (LOG_2PI + 1) + torch.linalg.slogdet(covariance).logabsdet) / 2
        return *prediction_losses(output, y), entropy
