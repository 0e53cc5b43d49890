"""Encoders, stochastic bottlenecks and decoders. `MODELS` lists the encoders.

Papers have the short names of `paretoib.objectives`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from paretoib.lazy import lazy_names
from paretoib.registry import Entry, Param, Registry

if TYPE_CHECKING:
    from paretoib.models._categorical import CategoricalHead, optimal_table
    from paretoib.models._definition import Definition
    from paretoib.models._encoders import (
        add_encoder,
        check_same_encoder,
        encoder_of,
        register_encoder,
    )
    from paretoib.models._head import Head
    from paretoib.models._layers import Dropout
    from paretoib.models._model import Model, build_model
    from paretoib.models._own import check_encoder
    from paretoib.models._states import can_enumerate, state_probabilities

__all__ = [
    "MAX_PATHS",
    "MODELS",
    "CategoricalHead",
    "Definition",
    "Dropout",
    "Head",
    "Model",
    "ModelEntry",
    "add_encoder",
    "bottleneck",
    "build_model",
    "can_enumerate",
    "check_encoder",
    "check_same_encoder",
    "encoder_of",
    "optimal_table",
    "register_encoder",
    "state_probabilities",
]

__getattr__ = lazy_names(
    __name__,
    {
        "CategoricalHead": "_categorical",
        "optimal_table": "_categorical",
        "Definition": "_definition",
        "add_encoder": "_encoders",
        "check_same_encoder": "_encoders",
        "encoder_of": "_encoders",
        "register_encoder": "_encoders",
        "Head": "_head",
        "Dropout": "_layers",
        "Model": "_model",
        "build_model": "_model",
        "check_encoder": "_own",
        "can_enumerate": "_states",
        "state_probabilities": "_states",
    },
)

MAX_PATHS = 2**16  # limit on the samples of the last binary layer for each example

Widths = tuple[Annotated[int, Field(ge=1, le=65_536)], ...]


@dataclass(frozen=True)
class ModelEntry(Entry):
    """An entry of `MODELS`.

    `inputs` are the kinds of data that the model takes. `stack_on_cpu` is false for models, such as
    convolutions, whose trials train faster on a CPU one by one than stacked. If `sigmoid`, the
    `hidden` layers and the latent are sigmoid layers. These layers are binary for objectives whose
    noise is `bernoulli` and deterministic for objectives without noise; other objectives are
    refused. `learning_rate` is the default for sweeps.
    """

    inputs: tuple[str, ...] = ("image", "vector")
    stack_on_cpu: bool = True
    sigmoid: bool = False
    learning_rate: float = 1e-3

    def stacks(self, params: Mapping[str, Any], *, on_cpu: bool) -> bool:
        """Whether trials with these hyperparameters train faster stacked; false if they cannot."""
        return bool(params.get("stack", True)) and (self.stack_on_cpu or not on_cpu)

    def layers_of(self, params: Mapping[str, Any]) -> int:
        """The number of layers that `bernoulli` noise makes binary, the latent included."""
        return 1 + len(params["hidden"]) if self.sigmoid else 1


def _bottleneck(
    initial_noise: float | None, latent: int = 32, decoder: tuple[int, ...] = ()
) -> tuple[Param, ...]:
    noise = Param(
        "initial_noise",
        float,
        initial_noise,
        "approximate initial s of p(z|x) = N(m, s²); determines the rate at the start of training",
        gt=0,
        le=1e3,
        per_trial=True,
    )
    return (
        Param("latent", int, latent, "K, dimensions of the latent Z", ge=1, le=65_536),
        Param(
            "decoder",
            Widths,
            decoder,
            "widths of the decoder's hidden layers; empty: a linear decoder",
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
        *([] if initial_noise is None else [noise]),
    )


# The initial s in the demo of Alemi et al., where s = softplus(r − 5) and r starts near 0.
_ALEMI_NOISE = math.log1p(math.exp(-5))


def bottleneck(latent: int = 32) -> tuple[Param, ...]:
    """The hyperparameters of a Gaussian bottleneck, for the `ModelEntry` of a plugin."""
    return _bottleneck(_ALEMI_NOISE, latent)


_DROPOUT = "share of hidden units dropped at random in training; measurements use no dropout"


def _small_alexnet(hidden: tuple[int, ...], *, activated: bool) -> tuple[Param, ...]:
    """Hyperparameters of mtvib tables 1 and 2; the defaults are for 36×36 images (table 1)."""
    return (
        Param(
            "kernel", int, 3, "kernel size of the two convolutions; 5 in mtvib table 2", ge=1, le=64
        ),
        Param("stride", int, 1, "stride of the two convolutions; 2 in mtvib table 2", ge=1, le=64),
        Param("hidden", Widths, hidden, "widths of the layers before the latent"),
        Param(
            "activated",
            bool,
            activated,
            "apply batch norm and ReLU to the means of the latent, the output of the encoder",
        ),
        Param("decoder_batch_norm", bool, True, "batch norm in the decoder's hidden layers"),
    )


_OWN: dict[str, ModelEntry] = {
    "mlp": ModelEntry(
        "paretoib.models._mlp:MLPEncoder",
        "fully connected; any widths",
        "Alemi et al. 2017; vim section 4.1; uib section 7.1; imb table 1",
        params=(
            Param("hidden", Widths, (256, 256), "widths of the hidden layers"),
            Param("activation", Literal["relu", "sigmoid"], "relu", "hidden layers' activation"),
            Param("dropout", float, 0.0, _DROPOUT, ge=0, lt=1),
            Param(
                "centred",
                bool,
                False,
                "scale inputs from [0, 1] to [−1, 1], as Alemi et al. 2017 do",
            ),
            *_bottleneck(_ALEMI_NOISE),
        ),
    ),
    "linear": ModelEntry(
        "paretoib.models._linear:LinearEncoder",
        "a linear map with the same noise for every input; optimal for data set `gaussian`",
        "Chechik et al. 2005",
        params=_bottleneck(math.log(2)),
    ),
    "sigmoid": ModelEntry(
        "paretoib.models._sigmoid:SigmoidEncoder",
        "sigmoid layers, all binary and stochastic or all deterministic: imb's networks",
        "imb section 4, table 1",
        sigmoid=True,
        learning_rate=1e-2,
        params=(
            Param("hidden", Widths, (64,), "widths of the layers below the latent"),
            *_bottleneck(None),
        ),
    ),
    "resnet18": ModelEntry(
        "paretoib.models._resnet:ResNet18Encoder",
        "ResNet-18 with the first layers for ImageNet or for CIFAR",
        "He et al. 2016; mib section 4.1",
        inputs=("image",),
        stack_on_cpu=False,
        params=(
            Param(
                "stem",
                Literal["imagenet", "cifar"],
                "imagenet",
                "first layers: a 7×7 convolution of stride 2 and pooling, or a 3×3 convolution",
            ),
            *_bottleneck(_ALEMI_NOISE),
        ),
    ),
    "cnn": ModelEntry(
        "paretoib.models._cnn:CNNEncoder",
        "4×4 convolutions of stride 2 with batch norm: vim's network for CIFAR-10",
        "vim table 4",
        inputs=("image",),
        stack_on_cpu=False,
        params=(
            Param(
                "channels",
                Widths,
                (128, 256, 512, 1024),
                "filters of the convolutions; each convolution halves the image",
                min_length=1,
            ),
            *_bottleneck(_ALEMI_NOISE, latent=64),
        ),
    ),
    "dropout_cnn": ModelEntry(
        "paretoib.models._dropout_cnn:DropoutCNNEncoder",
        "two 3×3 convolutions, pooling and dropout: uib's network for MNIST",
        "uib section 7.2",
        inputs=("image",),
        stack_on_cpu=False,
        params=(
            Param(
                "dropout",
                float,
                0.5,
                f"{_DROPOUT}; half this share after the convolutions",
                ge=0,
                lt=1,
            ),
            *_bottleneck(_ALEMI_NOISE, latent=128),
        ),
    ),
    "small_alexnet": ModelEntry(
        "paretoib.models._alexnet:SmallAlexNetEncoder",
        "two unpadded convolutions with pooling, layers of 384 and 192: mtvib's small AlexNet",
        "mtvib tables 1 and 2, (a) and (b)",
        inputs=("image",),
        stack_on_cpu=False,
        params=(
            *_small_alexnet((), activated=True),
            *_bottleneck(_ALEMI_NOISE, latent=384, decoder=(192,)),
        ),
    ),
    "mtvib_cnn": ModelEntry(
        "paretoib.models._alexnet:SmallAlexNetEncoder",
        "two unpadded convolutions with pooling, layers of 1024, 1024, 1024, 2K: mtvib's encoder",
        "mtvib tables 1 and 2, (c) and (d)",
        inputs=("image",),
        stack_on_cpu=False,
        params=(
            *_small_alexnet((1024, 1024, 1024), activated=False),
            *_bottleneck(_ALEMI_NOISE, latent=256, decoder=(384, 192)),
        ),
    ),
    "module": ModelEntry(
        "paretoib.models._own:OwnEncoder",
        "your own torch module, from Python: `paretoib.sweep(…, encoder=MyModule)`",
        local=True,
        params=(
            Param("encoder", str, "", "name of the class or function"),
            Param("code", str, "", "digest of its code"),
            Param("stack", bool, True, "train trials together under vmap; off: one at a time"),
            *_bottleneck(_ALEMI_NOISE),
        ),
    ),
}

MODELS = Registry("paretoib.models", ModelEntry, _OWN)
