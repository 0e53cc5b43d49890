"""Uncertainty weighting: the weight of each task is learned with the model.

Kendall, Gal, Cipolla: Multi-Task Learning Using Uncertainty to Weigh Losses, 2018. Qian, Chen,
Gechter: Multi-Task Variational Information Bottleneck (mtvib), eqs 9 and 14:
Σ_k [CE_k/σ_k² + log σ_k] + β · compression, where CE_k is the prediction loss of task k. Relative
to task k, compression has the weight β σ_k²: a task that is learned well weakens compression.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.weighting._linear import with_beta
from paretoib.weighting._weighting import Weighting, Weights


class Uncertainty(Weighting):
    """Weight 1/σ_k² on each prediction loss k, such as that of a task, and β on each other loss.

    The learned parameter is s_k = log σ_k², which starts at 0. For a constant loss L_k the minimum
    is at σ_k² = 2 L_k: a task with a smaller loss gets a larger weight. A step of Adam changes s_k
    by about the learning rate at most, so s_k hardly moves in a few hundred steps with 1e-4.
    """

    def parameters(self) -> Mapping[str, Tensor]:
        """`log_variance` holds s_k of each prediction loss."""
        return {"log_variance": torch.zeros(self.prediction_count)}

    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,  # noqa: ARG002
        hyper: Mapping[str, Any],
    ) -> Weights:
        log_variance = hyper["log_variance"].to(losses)
        weights = with_beta((-log_variance).exp(), losses, hyper["beta"])
        return Weights(weights, {"weight": weights.detach()}, log_variance.sum(1) / 2)
