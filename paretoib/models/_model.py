"""A model in two halves: the encoder, whose parameters the losses share, and the head."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from paretoib.distributions import (
    ZERO_ENTROPY_STD,
    CategoricalPrediction,
    Classes,
    GaussianEncoding,
    GaussianPrediction,
    Output,
    PointEncoding,
    Prediction,
    TaskPredictions,
)
from paretoib.models import MODELS
from paretoib.models._layers import mlp
from paretoib.models._noise import SharedWidth
from paretoib.registry import lookup

# What p(z|x) has: a learned width for each input and dimension, one learned width for all, the
# fixed one whose entropy is zero, that of bits, that of categories, or none.
Noise = Literal["learned", "scale", "zero_entropy", "bernoulli", "categorical", "none"]


class Head(nn.Module):
    """From the encoder's output to p(z|x), a sample of z, and q(y|z).

    The encoder's output (B, 2K) holds the means and r, with s = softplus(r + shift); the shift
    makes s the `initial_noise` at r = 0, and is −5 in Alemi et al.'s own demo. An output (B, K)
    holds the means alone: s is `fixed_noise`, or there is none. Each task has a decoder of its own.
    `own` are parameters of the objective, which are trained here and handed on in the output.
    """

    shift: Tensor

    def __init__(
        self,
        latent: int,
        decoder: tuple[int, ...],
        *,
        classes: Classes,
        target_dim: int | None,
        initial_noise: float,
        fixed_noise: float | None = None,
        batch_norm: bool = False,
        own: Mapping[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.latent = latent
        # Standard normal numbers for each example: for a sample of z, and for a training step.
        self.noise = self.training_noise = latent
        # What the ruler has to know: samples that p(z|x) is the mean over, numbers held a code.
        self.paths, self.columns, self.countable = 1, latent, False
        self.frozen = 0  # binary layers that do not learn at present
        self.optimal = False  # whether a categorical code's decoder is p(y|z) of the data
        self.fixed_noise = fixed_noise
        self.own = nn.ParameterDict(dict(own or {}))
        # softplus⁻¹(s) = log(eˢ − 1), written so that a large s does not overflow.
        shift = initial_noise + math.log(-math.expm1(-initial_noise))
        self.register_buffer("shift", torch.tensor(shift))
        self.classes = classes

        def decode(features: int) -> nn.Sequential:
            return mlp((latent, *decoder, features), batch_norm=batch_norm)

        if isinstance(classes, tuple):
            self.decoders = nn.ModuleList(map(decode, classes))
            return
        features = classes if classes is not None else target_dim
        assert features is not None
        self.decoder = decode(features)
        if classes is None:
            # The lower triangle of the whitening matrix; its diagonal is kept as a logarithm.
            self.whitening = nn.Parameter(torch.zeros(features, features))

    def forward(self, raw: Float[Tensor, "B R"], noise: Float[Tensor, "B K"] | None) -> Output:
        """p(z|x), z and q(y|z) for the encoder's output and standard normal noise.

        Without noise z is the mean.
        """
        encoding = self.encoding(raw)
        z = encoding.mean if noise is None else encoding.sample(noise)
        return Output(encoding, z, self.predict(z), dict(self.own.items()))

    def encoding(self, raw: Float[Tensor, "B R"]) -> GaussianEncoding | PointEncoding:
        """p(z|x) from the encoder's output."""
        if raw.shape[-1] == self.latent:
            if self.fixed_noise is None:
                return PointEncoding(raw)
            return GaussianEncoding(raw, torch.full_like(raw, self.fixed_noise))
        mean, r = raw.split(self.latent, dim=-1)
        return GaussianEncoding(mean, F.softplus(r + self.shift))

    def predict(self, z: Float[Tensor, "*P B K"]) -> Prediction:
        """q(y|z), of every sample."""
        if isinstance(self.classes, tuple):
            tasks = [_decoded(decoder, z) for decoder in self.decoders]
            return TaskPredictions(tuple(map(CategoricalPrediction, tasks)))
        features = _decoded(self.decoder, z)
        if self.classes is not None:
            return CategoricalPrediction(features)
        diagonal = torch.diag_embed(self.whitening.diagonal().exp())
        return GaussianPrediction(features, self.whitening.tril(-1) + diagonal)


def _decoded(decoder: nn.Module, z: Float[Tensor, "*P B K"]) -> Float[Tensor, "*P B F"]:
    """Of all samples in one batch, as batch norm needs them."""
    features: Tensor = decoder(z.reshape(-1, z.shape[-1]))
    if features.dtype == torch.bfloat16:
        features = features.float()  # What is made of them is not in mixed precision.
    return features.unflatten(0, z.shape[:-1])


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
        from paretoib.models._sigmoid import SigmoidHead

        head: Head = SigmoidHead(widths, draws=draws, stochastic=noise == "bernoulli", **ends)
    elif noise == "categorical":
        from paretoib.models._categorical import CategoricalHead

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
