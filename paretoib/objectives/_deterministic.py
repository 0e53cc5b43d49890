"""Baselines without a bottleneck (DET, RES18), and the regularisers of vim table 1.

vim is Crescimanna, Graham: The Variational InfoMax Learning Objective. Label smoothing: Szegedy,
Vanhoucke, Ioffe, Shlens, Wojna: Rethinking the Inception Architecture for Computer Vision, 2016,
section 7. Confidence penalty: Pereyra, Tucker, Chorowski, Kaiser, Hinton: Regularizing Neural
Networks by Penalizing Confident Output Distributions, 2017. Dropout, the third method of the table,
is a hyperparameter of the encoder.
"""

from torch import Tensor

from paretoib.distributions import Output, Prediction, by_task
from paretoib.objectives._objective import (
    Hyper,
    Objective,
    Scalar,
    class_logits,
)


class Deterministic(Objective):
    """Loss: prediction. The encoder has no noise, so the rate is infinite.

    With ε = `label_smoothing` and λ = `confidence_penalty`, the loss of each task with C classes is
    E[−(1 − ε) log q(y|z) − ε/C Σ_c log q(c|z)] − λ E H[q(·|z)] in nats.
    """

    def __init__(self, *, label_smoothing: float = 0.0, confidence_penalty: float = 0.0) -> None:
        self.label_smoothing = label_smoothing
        self.confidence_penalty = confidence_penalty

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        return tuple(self._loss(*task) for task in by_task(output.prediction, y))

    def _loss(self, prediction: Prediction, y: Tensor) -> Scalar:
        loss = prediction.nll(y).mean()
        if self.label_smoothing:
            uniform = class_logits(prediction, "label_smoothing").log_softmax(-1).mean()
            loss = (1 - self.label_smoothing) * loss - self.label_smoothing * uniform
        if self.confidence_penalty:
            log_q = class_logits(prediction, "confidence_penalty").log_softmax(-1)
            loss = loss + self.confidence_penalty * (log_q.exp() * log_q).sum(-1).mean()
        return loss
