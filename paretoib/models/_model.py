"""A model: the encoder, whose parameters all losses share, and the head."""

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
    """An encoder and a head, which maps the encoder's output to p(z|x) and q(y|z).

    `weighting` holds the trainable parameters of the weighting, and its state as buffers.
    """

    def __init__(
        self,
        encoder: nn.Module,
        head: Head,
        weighting: Mapping[str, Tensor] | None = None,
        weighting_state: Mapping[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.weighting = nn.ParameterDict(dict(weighting or {}))
        for name, value in (weighting_state or {}).items():
            self.weighting.register_buffer(name, value)


def build_model(
    name: str,
    params: Mapping[str, Any],
    *,
    shape: tuple[int, ...],
    classes: Classes,
    target_dim: int | None,
    noise: Noise,
    objective_parameters: Mapping[str, Tensor] | None = None,
    draws: int = 1,
    weighting: Mapping[str, Tensor] | None = None,
    weighting_state: Mapping[str, Tensor] | None = None,
) -> Model:
    """Build a model from the section `model` of a spec, with random initial weights.

    Args:
        name: a key of `MODELS`.
        params: hyperparameters of the model; `initial_scale` scales the weights of the layers up
            to the latent.
        shape: the shape of one input.
        classes: the number of classes of Y, or one number for each task; None for a continuous Y.
        target_dim: the dimension of a continuous Y.
        noise: the noise of p(z|x).
        objective_parameters: the trainable parameters of the objective.
        draws: samples of each binary layer per sample of the layer below.
        weighting: the trainable parameters of the weighting.
        weighting_state: what the weighting remembers from step to step.

    Raises:
        SpecError: the name is unknown, inputs are too small for the model, there are too many
            draws, or the noise is `categorical` and Y has no classes or several tasks.
    """
    rest, entry = dict(params), lookup(MODELS, name, "model")
    latent, scale = rest.pop("latent"), rest.pop("initial_scale")
    initial_noise = rest.pop("initial_noise", 1.0)
    head_options: dict[str, Any] = {
        "decoder": rest.pop("decoder"),
        "classes": classes,
        "target_dim": target_dim,
        "batch_norm": rest.pop("decoder_batch_norm", False),
        "objective_parameters": objective_parameters,
    }
    widths = (*(rest.pop("hidden") if entry.sigmoid else ()), latent)
    encoder = entry.load()(shape, widths[0], noise=noise == "learned", **rest)
    if entry.sigmoid or noise == "bernoulli":
        head: Head = SigmoidHead(
            widths, draws=draws, stochastic=noise == "bernoulli", **head_options
        )
    elif noise == "categorical":
        head = CategoricalHead(latent, **head_options)
    else:
        fixed = ZERO_ENTROPY_STD if noise == "zero_entropy" else None
        head = Head(latent, initial_noise=initial_noise, fixed_noise=fixed, **head_options)
        if noise == "none":
            head.noise = head.training_noise = 0
    scaled = nn.ModuleList([encoder, *getattr(head, "layers", ())])
    with torch.no_grad():
        for parameter in scaled.parameters():
            if parameter.ndim > 1:
                parameter.mul_(scale)
    encoder = SharedWidth(encoder) if noise == "scale" else encoder
    return Model(encoder, head, weighting, weighting_state)
