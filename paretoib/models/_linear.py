"""Linear encoder with one noise standard deviation per dimension, the same for all inputs.

The best such encoder is optimal for jointly Gaussian data (Chechik, Globerson, Tishby, Weiss 2005).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LinearEncoder(nn.Module):
    """Map x (B, *shape) to means Wx + b and r of `Head` (B, 2K), where r does not depend on x."""

    def __init__(self, shape: tuple[int, ...], latent: int, *, noise: bool) -> None:
        super().__init__()
        self.mean = nn.Linear(math.prod(shape), latent)
        self.width = nn.Parameter(torch.zeros(latent)) if noise else None

    def forward(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B R"]:
        """The encoder's output for a batch."""
        mean = self.mean(x.flatten(1))
        return mean if self.width is None else torch.cat([mean, self.width.expand_as(mean)], -1)
