"""The dropout network of uib: Kirsch, Lyle, Gal: Unpacking Information Bottlenecks, section 7.2.

The network is PyTorch's MNIST example with K = 128 dimensions instead of ten outputs: 3×3
convolutions with 32 and 64 filters, 2×2 pooling, dropout ¼, a layer of 128 units, dropout ½, and
the output layer. The decoder is linear.
"""

from jaxtyping import Float
from torch import Tensor, nn

from paretoib.models._layers import Dropout, side_after


class DropoutCNNEncoder(nn.Module):
    """Map images (B, C, H, W) to means and r of `Head` (B, 2K); if not `noise`, to means (B, K).

    Dropout makes the encoder stochastic during training; measurements use no dropout.
    """

    def __init__(self, shape: tuple[int, ...], latent: int, *, noise: bool, dropout: float) -> None:
        super().__init__()
        height, width = (side_after(side, [(3, 1, 0), (3, 1, 0), (2, 2, 0)]) for side in shape[1:])
        self.features = nn.Sequential(
            nn.Conv2d(shape[0], 32, 3),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            Dropout(dropout / 2),
            nn.Flatten(),
            nn.Linear(64 * height * width, 128),
            nn.ReLU(),
            Dropout(dropout),
        )
        self.output = nn.Linear(128, latent * (2 if noise else 1))

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B R"]:
        """The encoder's output for a batch."""
        return self.output(self.features(x))
