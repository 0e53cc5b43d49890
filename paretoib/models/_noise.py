"""One learned noise standard deviation s for all inputs: p(z|x) = N(m(x), s²I)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SharedWidth(nn.Module):
    """Map x to the means of an encoder and r of `Head` (B, 2K); all r are the same parameter."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.width = nn.Parameter(torch.zeros(1))

    def forward(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B R"]:
        """The encoder's output for a batch."""
        mean = self.encoder(x)
        return torch.cat([mean, self.width.expand_as(mean)], dim=-1)
