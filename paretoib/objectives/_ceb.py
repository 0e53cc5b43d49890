"""The conditional entropy bottleneck.

Fischer: The Conditional Entropy Bottleneck, 2020; uib section 4.2:
I(X;Z|Y) ≤ E KL(p(z|x) ‖ b(z|y)) for any b, with equality for b = p(z|y).
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from paretoib.distributions import GaussianEncoding, Output
from paretoib.objectives._objective import Hyper, Objective, Scalar, prediction_loss


class CEB(Objective):
    """prediction; compression = E KL(p(z|x) ‖ b(z|y)) in nats, which bounds I(X;Z|Y).

    b(z|y) = N(m_y, diag s_y²), learned: one for each class, and for a continuous Y one whose mean
    is linear in y. It starts as N(0, I). As I(X;Z|Y) = I(X;Z) − I(Y;Z), β weighs here what
    β/(1 + β) weighs in vib.
    """

    def parameters(
        self, latent: int, classes: int | None, target_dim: int | None
    ) -> Mapping[str, Tensor]:
        """`mean` and `log_width` (classes, K); for a continuous Y (1, K), and `slope` (d, K)."""
        rows = {name: torch.zeros(classes or 1, latent) for name in ("mean", "log_width")}
        return rows if target_dim is None else {**rows, "slope": torch.zeros(target_dim, latent)}

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        backward = _backward(output.own, y)
        return prediction_loss(output, y), output.gaussian.kl_from(backward).mean()


def _backward(own: Mapping[str, Tensor], y: Tensor) -> GaussianEncoding:
    """b(z|y_i) for each example."""
    if "slope" in own:
        mean = own["mean"] + y @ own["slope"]
        return GaussianEncoding(mean, own["log_width"].exp().expand_as(mean))
    return GaussianEncoding(own["mean"][y], own["log_width"][y].exp())
