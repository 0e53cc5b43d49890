"""Encoders, stochastic bottlenecks, decoders. `MODELS` lists the encoders."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from paretoib.registry import Entry, Param

Widths = tuple[Annotated[int, Field(ge=1, le=65_536)], ...]


@dataclass(frozen=True)
class ModelEntry(Entry):
    """A row of `MODELS`.

    `inputs` are the kinds of data it takes. `stack_on_cpu` is off where stacking trials was
    measured to be slower than training them one by one on a CPU (convolutions).
    """

    inputs: tuple[str, ...] = ("image", "vector")
    stack_on_cpu: bool = True


def _bottleneck(initial_noise: float) -> tuple[Param, ...]:
    return (
        Param("latent", int, 32, "K, dimensions of the latent Z", ge=1, le=65_536),
        Param(
            "decoder",
            Widths,
            (),
            "widths of the decoder's hidden layers; none: a linear decoder",
        ),
        Param(
            "initial_scale",
            float,
            1.0,
            "factor on the encoder's initial weights",
            gt=0,
            le=1e3,
            per_trial=True,
        ),
        Param(
            "initial_noise",
            float,
            initial_noise,
            "s that p(z|x) = N(m, s²) starts with, about; it sets the rate that training starts at",
            gt=0,
            le=1e3,
            per_trial=True,
        ),
    )


# softplus(−5): the start of Alemi et al.'s own demo, where s = softplus(r − 5).
_ALEMI = math.log1p(math.exp(-5))

MODELS: dict[str, ModelEntry] = {
    "mlp": ModelEntry(
        "paretoib.models._mlp:MLPEncoder",
        "fully connected, ReLU; any widths",
        "Alemi et al. 2017; vim table 4",
        params=(
            Param("hidden", Widths, (256, 256), "widths of the hidden layers"),
            *_bottleneck(_ALEMI),
        ),
    ),
    "linear": ModelEntry(
        "paretoib.models._linear:LinearEncoder",
        "a linear map with the same noise for every input; optimal for `gaussian`",
        "Chechik et al. 2005",
        params=_bottleneck(math.log(2)),
    ),
    "resnet18": ModelEntry(
        "paretoib.models._resnet:ResNet18Encoder",
        "ResNet-18 with the stem made for ImageNet or the one made for CIFAR",
        "He et al. 2016; mib section 4.1",
        inputs=("image",),
        stack_on_cpu=False,
        params=(
            Param(
                "stem", Literal["imagenet", "cifar"], "imagenet", "7×7 stride 2 and pooling, or 3×3"
            ),
            *_bottleneck(_ALEMI),
        ),
    ),
}
