"""Fully connected encoder; Alemi et al. 2017 and vim table 4 use 784–1024–1024–2K."""

import math

from jaxtyping import Float
from torch import Tensor, nn

from paretoib.models._layers import mlp


class MLPEncoder(nn.Module):
    """Map x (B, *shape) to means and r of `Head` (B, 2K); if not `noise`, to means (B, K).

    The papers use `hidden=(1024, 1024)` (vim, uib), and `hidden=(512, 512)` with
    `activation="sigmoid"` (imb). If `centred`, the first layer gets 2x − 1 instead of x, so that
    inputs in [0, 1] become inputs in [−1, 1].
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        latent: int,
        *,
        noise: bool,
        hidden: tuple[int, ...],
        activation: str,
        dropout: float,
        centred: bool,
    ) -> None:
        super().__init__()
        widths = (math.prod(shape), *hidden, latent * (2 if noise else 1))
        self.layers = mlp(widths, activation=activation, dropout=dropout)
        self.centred = centred

    def forward(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B R"]:
        """The encoder's output for a batch."""
        return self.layers((2 * x - 1 if self.centred else x).flatten(1))
