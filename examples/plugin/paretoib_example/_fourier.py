"""A model with random Fourier features.

Rahimi, Recht: Random Features for Large-Scale Kernel Machines, 2007.
"""

import math

import torch
from torch import Tensor, nn


class FourierEncoder(nn.Module):
    """√2 cos(W x/bandwidth + b), then a linear layer; W ~ N(0, 1) and b ~ U(0, 2π) are fixed.

    With `noise`, an encoder maps inputs (B, *shape) to (B, 2K): K means, and K numbers from which
    the standard deviations are computed. Without `noise`, it maps them to K means (B, K). The
    constructor may draw from torch's global generator, which is seeded for each trial.
    """

    frequencies: Tensor
    phases: Tensor

    def __init__(
        self, shape: tuple[int, ...], latent: int, *, noise: bool, features: int, bandwidth: float
    ) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(shape[0], features) / bandwidth)
        self.register_buffer("phases", 2 * math.pi * torch.rand(features))
        self.linear = nn.Linear(features, latent * (2 if noise else 1))

    def forward(self, x: Tensor) -> Tensor:
        """The encoder's output for a batch."""
        return self.linear(math.sqrt(2) * torch.cos(x @ self.frequencies + self.phases))
