"""The CIFAR network of Crescimanna, Graham: The Variational InfoMax Learning Objective, table 4.

Convolutions of 4×4 with 128, 256, 512 and 1024 filters, batch norm and ReLU after each, then a
linear layer to 2K, K = 64; the decoder is linear. The table gives no stride. Here it is 2 with a
padding of 1, so that each convolution halves the image, from 32×32 to 2×2.
"""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from paretoib.models._layers import side_after


class CNNEncoder(nn.Module):
    """Images (B, C, H, W) to means and widths (B, 2K), or means (B, K) without noise."""

    def __init__(
        self, shape: tuple[int, ...], latent: int, *, noise: bool, channels: tuple[int, ...]
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        height, width = (side_after(side, [(4, 2, 1)] * len(channels)) for side in shape[1:])
        for wide, narrow in pairwise((shape[0], *channels)):
            convolution = nn.Conv2d(wide, narrow, 4, 2, 1, bias=False)
            layers += [convolution, nn.BatchNorm2d(narrow), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.output = nn.Linear(channels[-1] * height * width, latent * (2 if noise else 1))

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B R"]:
        """The encoder's output for a batch."""
        return self.output(self.features(x).flatten(1))
