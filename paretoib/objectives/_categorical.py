"""A categorical code, whose entropies are exact sums, not bounds.

Kirsch, Lyle, Gal: Unpacking Information Bottlenecks, sections 5.4 and 7.1. p(y, z) is estimated
from a batch of B examples as Σ_i p(z|x_i) 1[y = y_i]/B. The resulting H[Y|Z] is too small on
average if the batch has few examples per category.
"""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from paretoib.discrete import CodebookPrediction, entropy, one_hot
from paretoib.distributions import Output
from paretoib.errors import SpecError
from paretoib.objectives._objective import Hyper, Objective, Scalar


class Categorical(Objective):
    """Losses in nats: prediction, chosen by `loss`, and compression, chosen by `compressed`.

    `loss` is the decoder cross-entropy H_Θ[Y|Z] = E[−Σ_z p(z|x) log q(y|z)], the prediction
    cross-entropy H_Θ[Y|X] = E[−log Σ_z p(z|x) q(y|z)], or the decoder uncertainty H[Y|Z]. The index
    Θ says that q(y|z) has trained parameters. H_Θ[Y|Z] is an upper bound on H_Θ[Y|X] and on H[Y|Z].
    With H[Y|Z] no decoder is trained: q(y|z) is p(y|z) of the training data, computed before the
    first epoch and after each epoch. `compressed` is H[Z|Y], H[Z], or I(X;Z) = H[Z] − H[Z|X].
    """

    def __init__(
        self,
        *,
        loss: Literal["decoder", "prediction", "uncertainty"],
        compressed: Literal["given_y", "entropy", "rate"],
        optimal_decoder: bool,
    ) -> None:
        self.loss = loss
        self.compressed = compressed
        self.optimal_decoder = optimal_decoder or loss == "uncertainty"

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        prediction = output.prediction
        if not isinstance(prediction, CodebookPrediction):
            raise SpecError(f"objective: categorical needs a categorical code; found {prediction}")
        joint = joint_probabilities(output.z, y, prediction.codebook.shape[-1])
        if self.loss == "decoder":
            loss = prediction.nll(y).mean()
        elif self.loss == "prediction":
            loss = prediction.marginal_nll(y).mean()
        else:
            loss = decoder_uncertainty(joint)
        return loss, self._compression(joint, output.z)

    def _compression(self, joint: Float[Tensor, "Y C"], p: Float[Tensor, "B C"]) -> Scalar:
        if self.compressed == "given_y":
            return decoder_uncertainty(joint.mT)
        entropy_z = entropy(joint.sum(0))
        return entropy_z - entropy(p) / len(p) if self.compressed == "rate" else entropy_z


def joint_probabilities(p: Float[Tensor, "B C"], y: Tensor, classes: int) -> Float[Tensor, "Y C"]:
    """p(y, z) of a batch, from p(z|x_i) and the labels y_i."""
    return one_hot(y, classes).to(p).mT @ p / len(y)


def decoder_uncertainty(joint: Float[Tensor, "Y C"]) -> Scalar:
    """H[Y|Z] in nats from p(y, z); H[Z|Y] if `joint` is transposed."""
    return entropy(joint) - entropy(joint.sum(0))
