"""A categorical code, whose entropies are sums and not bounds.

Kirsch, Lyle, Gal: Unpacking Information Bottlenecks, sections 5.4 and 7.1. p(y, z) is that of the
batch, Σ_i p(z|x_i) 1[y = y_i]/B, in which H[Y|Z] is too small on average where categories are many
for its examples.
"""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from paretoib.discrete import CodebookPrediction, entropy, one_hot
from paretoib.distributions import Output
from paretoib.errors import SpecError
from paretoib.objectives._objective import Hyper, Objective, Scalar


class Categorical(Objective):
    """prediction, by one of three losses; compression, by one of three entropies, in nats.

    `loss`: the decoder cross-entropy H_Θ[Y|Z], the prediction cross-entropy H_Θ[Y|X] = E −log
    Σ_z p(z|x) q(y|z), or the decoder uncertainty H[Y|Z], which asks for no decoder: q(y|z) is then
    p(y|z) of the training data, made anew after each epoch. H_Θ[Y|X] ≤ H_Θ[Y|Z] ≥ H[Y|Z].
    `compressed`: H[Z|Y], H[Z], or I(X;Z) = H[Z] − H[Z|X].
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
            loss = -prediction.log_expected.gather(-1, y.unsqueeze(-1)).mean()
        else:
            loss = decoder_uncertainty(joint)
        return loss, self._compression(joint, output.z)

    def _compression(self, joint: Float[Tensor, "Y C"], p: Float[Tensor, "B C"]) -> Scalar:
        if self.compressed == "given_y":
            return decoder_uncertainty(joint.mT)
        of_z = entropy(joint.sum(0))
        return of_z - entropy(p) / len(p) if self.compressed == "rate" else of_z


def joint_probabilities(p: Float[Tensor, "B C"], y: Tensor, classes: int) -> Float[Tensor, "Y C"]:
    """p(y, z) of a batch, from p(z|x_i) and its labels."""
    return one_hot(y, classes).to(p).mT @ p / len(y)


def decoder_uncertainty(joint: Float[Tensor, "Y C"]) -> Scalar:
    """H[Y|Z] of p(y, z); H[Z|Y] of its transpose."""
    return entropy(joint) - entropy(joint.sum(0))
