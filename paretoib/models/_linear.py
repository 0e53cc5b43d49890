"""Linear encoder with one noise width per dimension.

This family contains the optimum for jointly Gaussian data (Chechik, Globerson, Tishby, Weiss 2005).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LinearEncoder(nn.Module):
    """x (B, *shape) to means Wx + b and widths (B, 2K) that do not depend on x."""

    def __init__(self, shape: tuple[int, ...], latent: int, *, noise: bool) -> None:
        super().__init__()
        self.mean = nn.Linear(math.prod(shape), latent)
        self.width = nn.Parameter(torch.zeros(latent)) if noise else None

    def forward(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B R"]:
        """The encoder's output for a batch."""
        mean = self.mean(x.flatten(1))
        return mean if self.width is None else torch.cat([mean, self.width.expand_as(mean)], -1)
