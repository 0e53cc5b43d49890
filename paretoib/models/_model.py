"""A model in two halves: the encoder, whose parameters the losses share, and the head."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from paretoib.distributions import ZERO_ENTROPY_STD, Classes
from paretoib.models import MODELS
from paretoib.models._categorical import CategoricalHead
from paretoib.models._head import Head
from paretoib.models._noise import SharedWidth
from paretoib.models._sigmoid import SigmoidHead
from paretoib.registry import Noise, lookup


class Model(nn.Module):
    """Encoder, x to its output, and head, from there to p(z|x) and q(y|z).

    `weighting` are parameters of the weighting, which are trained with them.
    """

    def __init__(
        self, encoder: nn.Module, head: Head, weighting: Mapping[str, Tensor] | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.weighting = nn.ParameterDict(dict(weighting or {}))


def build_model(
    name: str,
    params: Mapping[str, Any],
    *,
    shape: tuple[int, ...],
    classes: Classes,
    target_dim: int | None,
    noise: Noise,
    own: Mapping[str, Tensor] | None = None,
    draws: int = 1,
    weighting: Mapping[str, Tensor] | None = None,
) -> Model:
    """The model that a spec's section describes, for inputs of `shape`; random initial weights.

    `initial_scale` multiplies the weight matrices below the latent. `noise` says what p(z|x) has,
    `own` and `weighting` what objective and weighting learn themselves, and `draws` are the samples
    of each binary layer for each one of the layer below. Raises `SpecError` for an unknown name,
    inputs too small for the model, or too many draws.
    """
    rest, row = dict(params), lookup(MODELS, name, "model")
    latent, scale = rest.pop("latent"), rest.pop("initial_scale")
    initial_noise = rest.pop("initial_noise", 1.0)
    ends: dict[str, Any] = {
        "decoder": rest.pop("decoder"),
        "classes": classes,
        "target_dim": target_dim,
        "batch_norm": rest.pop("decoder_batch_norm", False),
        "own": own,
    }
    widths = (*(rest.pop("hidden") if row.sigmoid else ()), latent)
    encoder = row.load()(shape, widths[0], noise=noise == "learned", **rest)
    if row.sigmoid or noise == "bernoulli":
        head: Head = SigmoidHead(widths, draws=draws, stochastic=noise == "bernoulli", **ends)
    elif noise == "categorical":
        head = CategoricalHead(latent, **ends)
    else:
        fixed = ZERO_ENTROPY_STD if noise == "zero_entropy" else None
        head = Head(latent, initial_noise=initial_noise, fixed_noise=fixed, **ends)
    scaled = nn.ModuleList([encoder, *getattr(head, "layers", ())])
    with torch.no_grad():
        for parameter in scaled.parameters():
            if parameter.ndim > 1:
                parameter.mul_(scale)
    return Model(SharedWidth(encoder) if noise == "scale" else encoder, head, weighting)
