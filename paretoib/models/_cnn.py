"""The CIFAR network of Crescimanna, Graham: The Variational InfoMax Learning Objective, table 4.

The network has 4×4 convolutions with 128, 256, 512 and 1024 filters, batch norm and ReLU after each
convolution, and a linear layer with 2K outputs, K = 64. The decoder is linear. The table gives no
stride. Here the stride is 2 and the padding is 1, so that each convolution halves the sides of the
image: the four convolutions lead from 32×32 to 2×2.
"""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from paretoib.models._layers import side_after


class CNNEncoder(nn.Module):
    """Map images (B, C, H, W) to means and r of `Head` (B, 2K); if not `noise`, to means (B, K)."""

    def __init__(
        self, shape: tuple[int, ...], latent: int, *, noise: bool, channels: tuple[int, ...]
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        height, width = (side_after(side, [(4, 2, 1)] * len(channels)) for side in shape[1:])
        for inputs, outputs in pairwise((shape[0], *channels)):
            convolution = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.output = nn.Linear(channels[-1] * height * width, latent * (2 if noise else 1))

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B R"]:
        """The encoder's output for a batch."""
        return self.output(self.features(x).flatten(1))
