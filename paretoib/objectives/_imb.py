"""Information multi-bottlenecks: each binary layer of a stochastic network is a bottleneck.

Information Multi-Bottlenecks, section 3. Layer l of L layers has the loss VCR_l + β_l Ĩ_l, where
β_l is β, or β times `relative_betas`. Eq. 5 has β_l on relevance instead, I(Z_l;X) − β_l I(Z_l;Y).
With the paper's β_l = 1e-4, or any β_l below 1, the minimum of that is a Z_l that is independent of
X, because I(Z_l;Y) ≤ I(Z_l;X). So the paper's β_l must be a weight of compression.

- VCR_l = E_{x,y} E_{z_l|x} [−log E_{z_L|z_l} q(y|z_L)], the variational conditional relevance, is
  an upper bound on H(Y|Z_l) (eqs 6, 7). VCR_0 is the network's negative log-likelihood (eq. 8).
- Ĩ_l = E Σ_i KL(p(z_{l,i}|z_{l−1}) ‖ r(z_{l,i})), with r learned, is an upper bound on I(Z_l;X)
  (eq. 10). There is no Ĩ_0.

VCR_l averages over samples of the layers up to l outside the logarithm, and over samples of the
layers above l inside the logarithm. If there are few samples inside the logarithm, VCR_l is too
large on average. With several tasks, each task k has its own VCR_l, an upper bound on H(Y_k|Z_l).
"""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.discrete import BinaryLayer
from paretoib.distributions import Output, by_task
from paretoib.objectives._objective import Hyper, Objective, Scalar


def conditional_relevance(nll: Float[Tensor, "*P B"], level: int) -> Scalar:
    """VCR_l in nats from −log q(y|z_L), which has one axis of samples per layer.

    `level` is l, from 0 to L; VCR_L is E[−log q(y|z)].
    """
    inside = tuple(range(level, nll.ndim - 1))
    if inside:
        count = math.prod(nll.shape[i] for i in inside)
        nll = math.log(count) - (-nll).logsumexp(inside)
    return nll.mean()


def compression(layer: BinaryLayer) -> Scalar:
    """Ĩ_l in nats."""
    return layer.encoding.kl(layer.prior).mean()


class _LayerObjective(Objective):
    def __init__(self, *, draws: int) -> None:
        # Only the network uses `draws`, which it gets from the spec. `draws` is an argument here
        # because the constructor gets all hyperparameters that the trials of a pack share.
        self.draws = draws


class IMBJoint(_LayerObjective):
    """JointIMB: the sum of γ_l (VCR_l + β_l Ĩ_l) over all layers; γ_l is 1 by default.

    Losses, with w_l = `relative_betas`: prediction = Σ_{l=0..L} γ_l VCR_l, and
    compression = Σ_{l=1..L} γ_l w_l Ĩ_l. With `losses="per_layer"` each term is a loss of its own:
    γ_0 VCR_0, …, γ_L VCR_L for each task, then γ_1 w_1 Ĩ_1, …, γ_L w_L Ĩ_L.
    """

    def __init__(self, *, draws: int, losses: Literal["summed", "per_layer"]) -> None:
        super().__init__(draws=draws)
        self.per_layer = losses == "per_layer"

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        gammas, levels = hyper["gammas"], range(len(output.layers) + 1)
        relevances = [
            _weighted([conditional_relevance(nll, level) for level in levels], gammas)
            for nll in _task_nlls(output, y)
        ]
        compressions = _weighted(
            _weighted([compression(layer) for layer in output.layers], hyper["relative_betas"]),
            gammas[1:],
        )
        if self.per_layer:
            return tuple(loss for losses in (*relevances, compressions) for loss in losses)
        return tuple(reduce(torch.add, losses) for losses in (*relevances, compressions))


class IMBGreedy(_LayerObjective):
    """GreedyIMB. Losses: prediction = VCR_l, and compression = w_l Ĩ_l, w_l = `relative_betas`.

    Layer l is the first layer that is not frozen. The layers above layer l act as the decoder of
    layer l and are trained with it.
    """

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        level, layer = output.frozen + 1, output.layers[output.frozen]
        relevances = [conditional_relevance(nll, level) for nll in _task_nlls(output, y)]
        return *relevances, *_weighted(
            [compression(layer)], hyper["relative_betas"][output.frozen : output.frozen + 1]
        )


class SFNN(_LayerObjective):
    """Loss: prediction = VCR_0, the negative log-likelihood: −log of the mean of q(y|z).

    The mean is over all samples of z.
    """

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        return tuple(conditional_relevance(nll, 0) for nll in _task_nlls(output, y))


def _weighted(losses: Sequence[Scalar], weights: Float[Tensor, " n"]) -> list[Scalar]:
    """The losses times their weights, or the losses themselves if there are no weights."""
    if not len(weights):
        return list(losses)
    return [w.to(loss) * loss for w, loss in zip(weights, losses, strict=True)]


def _task_nlls(output: Output, y: Tensor) -> list[Float[Tensor, "*P B"]]:
    return [q.nll(target) for q, target in by_task(output.prediction, y)]
