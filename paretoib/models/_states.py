"""Exact p(z_l|x) of small binary layers, by enumeration of all their states."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from paretoib.discrete import BinaryLayer

# The largest number of bits whose states are enumerated. The widest stochastic layer for the
# problem with 12 input bits (imb section 5.3) has 10 bits.
MAX_BITS = 10


def can_enumerate(widths: Sequence[int]) -> bool:
    """Whether all layers of these widths are small enough to enumerate their states."""
    return max(widths) <= MAX_BITS


def state_probabilities(layers: Sequence[BinaryLayer]) -> tuple[Float[Tensor, "B _"], ...]:
    """p(z_l|x) of each layer over its 2^n states (B, 2^n), in double precision.

    p(z_l|x) = Σ_{z_{l−1}} p(z_l|z_{l−1}) p(z_{l−1}|x). Bit i of a state's index is z_i.
    """
    tables = [_over_states(layers[0].encoding.logits)]
    for below, layer in pairwise(layers):
        assert layer.weight is not None
        assert layer.bias is not None
        logits = states(below.z.shape[-1]).to(layer.weight) @ layer.weight.mT + layer.bias
        tables.append(tables[-1] @ _over_states(logits))
    return tuple(tables)


def states(bits: int) -> Float[Tensor, "_ K"]:
    """All vectors of this many bits, (2^bits, bits)."""
    return (torch.arange(2**bits).unsqueeze(-1) >> torch.arange(bits) & 1).double()


def _over_states(logits: Float[Tensor, "B K"]) -> Float[Tensor, "B _"]:
    logits = logits.double()
    all_states = states(logits.shape[-1]).to(logits.device)
    return (logits @ all_states.mT - F.softplus(logits).sum(-1, keepdim=True)).exp()
