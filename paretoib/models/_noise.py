"""What an encoder of means alone is given for p(z|x) = N(m(x), s²I): one width s to learn."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SharedWidth(nn.Module):
    """An encoder's means (B, K), and one learned width for all of them: (B, 2K)."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.width = nn.Parameter(torch.zeros(1))

    def forward(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B R"]:
        """The encoder's output for a batch."""
        mean = self.encoder(x)
        return torch.cat([mean, self.width.expand_as(mean)], dim=-1)
