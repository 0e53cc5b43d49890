"""The relevance I(Y;Z), from below. Units: nats."""

import math

from jaxtyping import Float
from torch import Tensor


def relevance_bound(
    nll: Float[Tensor, "M N"], target_entropy: float, ceiling: float
) -> Float[Tensor, " M"]:
    """A lower bound on I(Y;Z) for each of M models.

    I(Y;Z) ≥ H(Y) − E[−log q(y|z)] (Barber and Agakov 2003) with `nll` the decoder cross-entropy
    of each of N examples, averaged over samples of z, and H(Y) the `target_entropy`. Zero is a
    lower bound too, and the better one for a decoder that is worse than chance; `ceiling` is
    what no code can exceed, sampling noise apart.
    """
    return (target_entropy - nll.mean(1)).clamp(0, ceiling)


def relevance_error(nll: Float[Tensor, "M N"]) -> Float[Tensor, " M"]:
    """The standard error of that bound; of several tasks, from the sum of their `nll`."""
    return nll.std(1) / math.sqrt(nll.shape[1])
