"""The head of a model, which maps the encoder's output to p(z|x), a sample of z, and q(y|z)."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from paretoib.distributions import (
    CategoricalPrediction,
    Classes,
    GaussianEncoding,
    GaussianPrediction,
    Output,
    PointEncoding,
    Prediction,
    TaskPredictions,
)
from paretoib.models._layers import mlp


class Head(nn.Module):
    """Map the encoder's output to p(z|x), a sample of z, and q(y|z).

    p(z|x) is N(m, diag s²). An encoder output (B, 2K) holds the means m and numbers r, with
    s = softplus(r + shift). The shift makes s equal to `initial_noise` at r = 0; the demo of Alemi
    et al. has the shift −5. An encoder output (B, K) holds only the means. Then s is `fixed_noise`,
    or there is no noise if `fixed_noise` is None. Each task has its own decoder.
    `objective_parameters` are trained with the head and returned in `Output`.
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
        objective_parameters: Mapping[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.latent = latent
        # The number of standard normal numbers for each example: `noise` for one sample of z,
        # `training_noise` for one training step.
        self.noise = self.training_noise = latent
        # For the estimators: the number of sampled paths over which p(z|x) is averaged, the number
        # of columns of the largest matrix, and whether the states of the code can be enumerated.
        self.paths, self.columns, self.enumerable = 1, latent, False
        self.frozen = 0  # binary layers that are not trained at present
        self.optimal = False  # whether q(y|z) of a categorical code is p(y|z) of the data
        self.fixed_noise = fixed_noise
        self.objective_parameters = nn.ParameterDict(dict(objective_parameters or {}))
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
            # The lower triangle of the whitening matrix; the diagonal holds logarithms.
            self.whitening = nn.Parameter(torch.zeros(features, features))

    def forward(self, raw: Float[Tensor, "B R"], noise: Float[Tensor, "B K"] | None) -> Output:
        """p(z|x), z and q(y|z) from the encoder's output and standard normal noise.

        If `noise` is None, z is the mean.
        """
        encoding = self.encoding(raw)
        z = encoding.mean if noise is None else encoding.sample(noise)
        return Output(encoding, z, self.predict(z), dict(self.objective_parameters.items()))

    def encoding(self, raw: Float[Tensor, "B R"]) -> GaussianEncoding | PointEncoding:
        """p(z|x) from the encoder's output."""
        if raw.shape[-1] == self.latent:
            if self.fixed_noise is None:
                return PointEncoding(raw)
            return GaussianEncoding(raw, torch.full_like(raw, self.fixed_noise))
        mean, r = raw.split(self.latent, dim=-1)
        return GaussianEncoding(mean, F.softplus(r + self.shift))

    def predict(self, z: Float[Tensor, "*P B K"]) -> Prediction:
        """q(y|z) for every sample of z."""
        if isinstance(self.classes, tuple):
            tasks = [_decoded(decoder, z) for decoder in self.decoders]
            return TaskPredictions(tuple(map(CategoricalPrediction, tasks)))
        features = _decoded(self.decoder, z)
        if self.classes is not None:
            return CategoricalPrediction(features)
        diagonal = torch.diag_embed(self.whitening.diagonal().exp())
        return GaussianPrediction(features, self.whitening.tril(-1) + diagonal)


def _decoded(decoder: nn.Module, z: Float[Tensor, "*P B K"]) -> Float[Tensor, "*P B F"]:
    """The decoder's output; all samples form one batch, as batch norm requires."""
    features: Tensor = decoder(z.reshape(-1, z.shape[-1]))
    if features.dtype == torch.bfloat16:
        features = features.float()  # Losses are computed in single precision.
    return features.unflatten(0, z.shape[:-1])
