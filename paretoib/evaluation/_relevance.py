"""The relevance I(Y;Z), from below. Units: nats."""

import math

from jaxtyping import Float
from torch import Tensor


def relevance_bound(
    nll: Float[Tensor, "M N"], target_entropy: float, ceiling: float
) -> tuple[Float[Tensor, " M"], Float[Tensor, " M"]]:
    """(lower bound on I(Y;Z), its standard error) for each of M models.

    I(Y;Z) ≥ H(Y) − E[−log q(y|z)] (Barber and Agakov 2003) with `nll` the decoder cross-entropy
    of each of N examples, averaged over samples of z, and H(Y) the `target_entropy`. Zero is a
    lower bound too, and the better one for a decoder that is worse than chance; `ceiling` is
    what no code can exceed, sampling noise apart.
    """
    bound = (target_entropy - nll.mean(1)).clamp(0, ceiling)
    return bound, nll.std(1) / math.sqrt(nll.shape[1])
