"""A lower bound on the relevance I(Y;Z). Units: nats."""

import math

from jaxtyping import Float
from torch import Tensor


def relevance_bound(
    nll: Float[Tensor, "M N"], target_entropy: float, ceiling: float
) -> Float[Tensor, " M"]:
    """A lower bound on I(Y;Z) for each of M models.

    I(Y;Z) ≥ H(Y) − E[−log q(y|z)] (Barber and Agakov 2003). `nll` is the decoder cross-entropy of
    each of N examples, averaged over samples of z; `target_entropy` is H(Y). The bound is clipped
    to at least 0, because information is not negative, and to at most `ceiling`, because only
    sampling noise can raise the estimate above the ceiling.
    """
    return (target_entropy - nll.mean(1)).clamp(0, ceiling)


def relevance_error(nll: Float[Tensor, "M N"]) -> Float[Tensor, " M"]:
    """The standard error of `relevance_bound`; for several tasks, `nll` is the sum over tasks."""
    return nll.std(1) / math.sqrt(nll.shape[1])
