"""Layers that several models are made of."""

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
    """Linear layers between `widths`; between two of them batch norm, activation and dropout."""
    layers: list[nn.Module] = []
    for i, (wide, narrow) in enumerate(pairwise(widths)):
        if i:
            norm = [nn.BatchNorm1d(wide)] if batch_norm else []
            drop = [Dropout(dropout)] if dropout else []
            layers += [*norm, ACTIVATIONS[activation](), *drop]
        layers.append(nn.Linear(wide, narrow))
    return nn.Sequential(*layers)


def side_after(side: int, filters: Sequence[tuple[int, int, int]]) -> int:
    """The side of an image behind convolutions and poolings, each (size, stride, padding).

    Raises:
        SpecError: the image is too small for them.
    """
    left = side
    for size, stride, padding in filters:
        left = (left + 2 * padding - size) // stride + 1
        if left < 1:
            raise SpecError(f"model: its convolutions need larger images; found a side of {side}")
    return left


class Dropout(nn.Module):
    """Dropout with masks of the model's own, the same in any pack and on any device.

    torch's own draws for all models of a pack from one stream. Here a mask is a hash of a count,
    which starts at random with the model's weights and moves on with every mask, and of each
    element's place. In evaluation nothing is dropped.
    """

    count: Tensor

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("count", torch.randint(2**31, ()))

    def forward(self, x: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
        """x with a share of `rate` set to 0, and the rest scaled to make up for it."""
        if not self.training:
            return x
        self.count.add_(1)
        place = torch.arange(x.numel(), device=x.device).view(x.shape)
        kept = _hash(place ^ _hash(self.count)) >= self.rate * 2**32
        return x * kept / (1 - self.rate)


def _hash(x: Tensor) -> Tensor:
    """A well-mixed number below 2³² for each integer below 2³² (Wellons' lowbias32)."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B - 2**32)):
        # A factor below 2³¹ in size: the product fits into 64 bits.
        x = ((x ^ (x >> shift)) * factor) & 0xFFFFFFFF
    return x ^ (x >> 16)
