"""Layers that several models share."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretoib.errors import SpecError

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}


def mlp(
    widths: tuple[int, ...],
    *,
    activation: str = "relu",
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Linear layers of these widths, with batch norm, activation and dropout between them."""
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        if i:
            norm = [nn.BatchNorm1d(inputs)] if batch_norm else []
            drop = [Dropout(dropout)] if dropout else []
            layers += [*norm, ACTIVATIONS[activation](), *drop]
        layers.append(nn.Linear(inputs, outputs))
    return nn.Sequential(*layers)


def side_after(side: int, filters: Sequence[tuple[int, int, int]]) -> int:
    """The side of an image after convolutions and poolings, given as (size, stride, padding).

    Raises:
        SpecError: the image is too small.
    """
    after = side
    for size, stride, padding in filters:
        after = (after + 2 * padding - size) // stride + 1
        if after < 1:
            raise SpecError(f"model: its convolutions need larger images; found a side of {side}")
    return after


class Dropout(nn.Module):
    """Dropout whose masks depend on the model alone, not on its pack or device.

    torch's dropout draws the masks of all models in a pack from one random stream. Here each
    element of a mask is a hash of the element's index and a counter. The counter starts at a random
    number, drawn with the model's weights, and increases with every mask. In evaluation mode
    nothing is dropped.
    """

    count: Tensor

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.register_buffer("count", torch.randint(2**31, ()))

    def forward(self, x: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
        """Set each element of x to 0 with probability `share`; divide the rest by 1 − share."""
        if not self.training:
            return x
        self.count.add_(1)
        index = torch.arange(x.numel(), device=x.device).view(x.shape)
        mask = _hash(index ^ _hash(self.count)) >= self.share * 2**32
        return x * mask / (1 - self.share)


def _hash(x: Tensor) -> Tensor:
    """Hash integers below 2³² to integers below 2³² (Wellons' lowbias32)."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B - 2**32)):
        # |factor| is below 2³¹, so that the product fits into 64 bits.
        x = ((x ^ (x >> shift)) * factor) & 0xFFFFFFFF
    return x ^ (x >> 16)
