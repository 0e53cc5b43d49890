"""Information multi-bottlenecks: each binary layer of a stochastic network is a bottleneck.

Information Multi-Bottlenecks, section 3. Layer l of L layers has the loss VCR_l + β Ĩ_l.

- VCR_l = E_{x,y} E_{z_l|x} [−log E_{z_L|z_l} q(y|z_L)], the variational conditional relevance, is
  an upper bound on H(Y|Z_l) (eqs 6, 7). VCR_0 is the network's negative log-likelihood (eq. 8).
- Ĩ_l = E Σ_i KL(p(z_{l,i}|z_{l−1}) ‖ r(z_{l,i})), with r learned, is an upper bound on I(Z_l;X)
  (eq. 10). There is no Ĩ_0.

VCR_l averages over samples of the layers up to l outside the logarithm, and over samples of the
layers above l inside the logarithm. If there are few samples inside the logarithm, VCR_l is too
large on average. With several tasks, each task k has its own VCR_l, an upper bound on H(Y_k|Z_l).
"""

import math
from functools import reduce

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
    """JointIMB with the same weight γ_l = 1 for all layers.

    Losses: prediction = Σ_{l=0..L} VCR_l, and compression = Σ_{l=1..L} Ĩ_l.
    """

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        levels = range(len(output.layers) + 1)
        relevances = [
            reduce(torch.add, [conditional_relevance(nll, level) for level in levels])
            for nll in _task_nlls(output, y)
        ]
        return *relevances, reduce(torch.add, map(compression, output.layers))


class IMBGreedy(_LayerObjective):
    """GreedyIMB. Losses: prediction = VCR_l, and compression = Ĩ_l.

    Layer l is the first layer that is not frozen. The layers above layer l act as the decoder of
    layer l and are trained with it.
    """

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        level, layer = output.frozen + 1, output.layers[output.frozen]
        relevances = [conditional_relevance(nll, level) for nll in _task_nlls(output, y)]
        return *relevances, compression(layer)


class SFNN(_LayerObjective):
    """Loss: prediction = VCR_0, the negative log-likelihood: −log of the mean of q(y|z).

    The mean is over all samples of z.
    """

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        return tuple(conditional_relevance(nll, 0) for nll in _task_nlls(output, y))


def _task_nlls(output: Output, y: Tensor) -> list[Float[Tensor, "*P B"]]:
    return [q.nll(target) for q, target in by_task(output.prediction, y)]
