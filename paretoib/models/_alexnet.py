"""The small AlexNet of mtvib and its variational encoder.

Qian, Chen, Gechter: Multi-Task Variational Information Bottleneck, tables 1 and 2. Each of two
blocks has a convolution with 64 filters and no padding, batch norm, ReLU and 2×2 pooling. Linear
layers with batch norm and ReLU follow. 36×36 images with 3×3 convolutions give 64·7² = 3136
features; 150×150 images with 5×5 convolutions of stride 2 give 64·8² = 4096 features.

In the tables, batch norm and ReLU follow the layer whose output is Z. If `activated`, both are
applied to the means. `activated` is true for the small AlexNet, where Z is a hidden layer. It is
false for the variational encoder, because means that cannot be negative do not fit the prior
N(0, I).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretoib.models._layers import mlp, side_after


class SmallAlexNetEncoder(nn.Module):
    """Map images (B, C, H, W) to means and r of `Head` (B, 2K); if not `noise`, to means (B, K)."""

    def __init__(
        self,
        shape: tuple[int, ...],
        latent: int,
        *,
        noise: bool,
        kernel: int,
        stride: int,
        hidden: tuple[int, ...],
        activated: bool,
    ) -> None:
        super().__init__()
        filters = [(kernel, stride, 0), (2, 2, 0)] * 2
        height, width = (side_after(side, filters) for side in shape[1:])
        layers: list[nn.Module] = []
        for channels in (shape[0], 64):
            convolution = nn.Conv2d(channels, 64, kernel, stride, bias=False)
            layers += [convolution, nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)]
        self.convolutions = nn.Sequential(*layers)
        self.layers = mlp(
            (64 * height * width, *hidden, latent * (2 if noise else 1)), batch_norm=True
        )
        self.latent = latent
        self.activation = (
            nn.Sequential(nn.BatchNorm1d(latent), nn.ReLU()) if activated else nn.Identity()
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B R"]:
        """The encoder's output for a batch."""
        raw = self.layers(self.convolutions(x).flatten(1))
        mean, r = raw[:, : self.latent], raw[:, self.latent :]
        return torch.cat([self.activation(mean), r], dim=1)
