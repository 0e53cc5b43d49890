"""The dropout network of uib: Kirsch, Lyle, Gal: Unpacking Information Bottlenecks, section 7.2.

PyTorch's MNIST example: 3×3 convolutions with 32 and 64 filters, 2×2 pooling, dropout ¼, a layer
of 128, dropout ½, and K = 128 dimensions instead of its ten outputs; the decoder is linear.
"""

from jaxtyping import Float
from torch import Tensor, nn

from paretoib.models._layers import Dropout, side_after


class DropoutCNNEncoder(nn.Module):
    """Images (B, C, H, W) to means and widths (B, 2K), or means (B, K) without noise.

    Dropout makes it stochastic during training; it is measured without dropout.
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
