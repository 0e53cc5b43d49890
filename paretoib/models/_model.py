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
# fixed one whose entropy is zero, or none.
Noise = Literal["learned", "scale", "zero_entropy", "none"]


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

    def forward(self, raw: Float[Tensor, "B R"], noise: Float[Tensor, "B K"]) -> Output:
        """p(z|x), z and q(y|z) for the encoder's output and standard normal noise."""
        encoding = self.encoding(raw)
        z = encoding.sample(noise)
        return Output(encoding, z, self.predict(z), dict(self.own.items()))

    def encoding(self, raw: Float[Tensor, "B R"]) -> GaussianEncoding | PointEncoding:
        """p(z|x) from the encoder's output."""
        if raw.shape[-1] == self.latent:
            if self.fixed_noise is None:
                return PointEncoding(raw)
            return GaussianEncoding(raw, torch.full_like(raw, self.fixed_noise))
        mean, r = raw.split(self.latent, dim=-1)
        return GaussianEncoding(mean, F.softplus(r + self.shift))

    def predict(self, z: Float[Tensor, "B K"]) -> Prediction:
        """q(y|z)."""
        if isinstance(self.classes, tuple):
            return TaskPredictions(tuple(CategoricalPrediction(d(z)) for d in self.decoders))
        features = self.decoder(z)
        if self.classes is not None:
            return CategoricalPrediction(features)
        diagonal = torch.diag_embed(self.whitening.diagonal().exp())
        return GaussianPrediction(features, self.whitening.tril(-1) + diagonal)


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
    weighting: Mapping[str, Tensor] | None = None,
) -> Model:
    """The model that a spec's section describes, for inputs of `shape`; random initial weights.

    `initial_scale` multiplies the encoder's weight matrices; `noise` says what p(z|x) has, `own`
    and `weighting` what objective and weighting learn themselves. Raises
    `SpecError` for an unknown name, or inputs too small for the model.
    """
    rest = dict(params)
    latent, decoder = rest.pop("latent"), rest.pop("decoder")
    scale, initial_noise = rest.pop("initial_scale"), rest.pop("initial_noise")
    batch_norm = rest.pop("decoder_batch_norm", False)
    build = lookup(MODELS, name, "model").load()
    encoder = build(shape, latent, noise=noise == "learned", **rest)
    with torch.no_grad():
        for parameter in encoder.parameters():
            if parameter.ndim > 1:
                parameter.mul_(scale)
    head = Head(
        latent,
        decoder,
        classes=classes,
        target_dim=target_dim,
        initial_noise=initial_noise,
        fixed_noise=ZERO_ENTROPY_STD if noise == "zero_entropy" else None,
        batch_norm=batch_norm,
        own=own,
    )
    return Model(SharedWidth(encoder) if noise == "scale" else encoder, head, weighting)
