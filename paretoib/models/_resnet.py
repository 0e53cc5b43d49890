"""ResNet-18 (He, Zhang, Ren, Sun 2016), with the first layers for ImageNet or for CIFAR."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def _conv(inputs: int, outputs: int, size: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class _Block(nn.Module):
    """Two 3×3 convolutions and a shortcut, which is a 1×1 convolution if the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = _conv(inputs, outputs, 3, stride)
        self.second = _conv(outputs, outputs, 3, 1)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else _conv(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


class ResNet18Encoder(nn.Module):
    """Map images (B, C, H, W) to means and r of `Head` (B, 2K); if not `noise`, to means (B, K).

    The first layers are a 7×7 convolution of stride 2 and max pooling if `stem="imagenet"`, which
    mib uses for small images too, or a 3×3 convolution of stride 1 if `stem="cifar"`.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        latent: int,
        *,
        noise: bool,
        stem: Literal["imagenet", "cifar"],
    ) -> None:
        super().__init__()
        if stem == "imagenet":
            first = [_conv(shape[0], 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        else:
            first = [_conv(shape[0], 64, 3, 1), nn.ReLU()]
        blocks = [
            block
            for inputs, outputs, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))
            for block in (_Block(inputs, outputs, stride), _Block(outputs, outputs, 1))
        ]
        self.features = nn.Sequential(*first, *blocks)
        self.output = nn.Linear(512, latent * (2 if noise else 1))

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B R"]:
        """The encoder's output for a batch."""
        return self.output(torch.mean(self.features(x), dim=(-2, -1)))
