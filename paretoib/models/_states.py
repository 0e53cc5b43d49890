"""All states of small binary layers: p(z_l|x) exactly, where sampling would only estimate it."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from paretoib.discrete import BinaryLayer

MOST_BITS = 10  # of a layer whose states are counted: the 12-bit problem's widest (imb section 5.3)


def countable(widths: Sequence[int]) -> bool:
    """Whether the states of all these layers are few enough to go through."""
    return max(widths) <= MOST_BITS


def state_probabilities(layers: Sequence[BinaryLayer]) -> tuple[Float[Tensor, "B _"], ...]:
    """p(z_l|x) of each layer over its 2^n states (B, 2^n), in double precision.

    p(z_l|x) = Σ p(z_l|z_{l−1}) p(z_{l−1}|x). Bit i of a state's number is z_i.
    """
    tables = [_over_states(layers[0].encoding.logits)]
    for below, layer in pairwise(layers):
        assert layer.weight is not None
        assert layer.bias is not None
        logits = states(below.z.shape[-1]).to(layer.weight) @ layer.weight.mT + layer.bias
        tables.append(tables[-1] @ _over_states(logits))
    return tuple(tables)


def states(bits: int) -> Float[Tensor, "_ K"]:
    """All vectors of so many bits, (2^bits, bits)."""
    return (torch.arange(2**bits).unsqueeze(-1) >> torch.arange(bits) & 1).double()


def _over_states(logits: Float[Tensor, "B K"]) -> Float[Tensor, "B _"]:
    logits = logits.double()
    every = states(logits.shape[-1]).to(logits.device)
    return (logits @ every.mT - F.softplus(logits).sum(-1, keepdim=True)).exp()
