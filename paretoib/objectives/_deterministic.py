"""The papers' baseline without a bottleneck: DET, RES18."""

from torch import Tensor

from paretoib.distributions import Output
from paretoib.objectives._objective import Hyper, Objective, Scalar, prediction_loss


class Deterministic(Objective):
    """prediction alone; the encoder has no noise, so its rate is infinite."""

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        return (prediction_loss(output, y),)
