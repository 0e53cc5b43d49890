"""The activation-L2 surrogate of the information bottleneck.

Kirsch, Lyle, Gal: Unpacking Information Bottlenecks, section 6.3. Z is the encoder's output plus
zero-entropy noise N(0, 1/(2πe)). E‖Z‖² bounds the entropy of the K dimensions of Z:
H[Z] ≤ K/2 ln(2πe E‖Z‖²/K).
"""

from torch import Tensor

from paretoib.distributions import Output
from paretoib.objectives._objective import Hyper, Objective, Scalar, prediction_losses


class L2(Objective):
    """Losses: prediction, and compression = E‖Z‖², to which the noise adds K/(2πe)."""

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        second_moment = output.encoding.mean.square() + output.encoding.variance
        return *prediction_losses(output, y), second_moment.sum(-1).mean()
