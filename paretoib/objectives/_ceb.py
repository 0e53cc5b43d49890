"""The conditional entropy bottleneck.

Fischer: The Conditional Entropy Bottleneck, 2020; uib section 4.2:
I(X;Z|Y) ≤ E KL(p(z|x) ‖ b(z|y)) for any b, with equality for b = p(z|y).
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from paretoib.distributions import Classes, GaussianEncoding, Output, by_task
from paretoib.objectives._objective import (
    Hyper,
    Objective,
    Scalar,
    class_logits,
    prediction_losses,
)


class CEB(Objective):
    """prediction; compression = E KL(p(z|x) ‖ b(z|y)) in nats, which bounds I(X;Z|Y).

    b(z|y) = N(m_y, diag s_y²), learned: one for each class, and for a continuous Y one whose mean
    is linear in y; of several tasks, m_y and log s_y are sums over them. It starts as N(0, I). As
    I(X;Z|Y) = I(X;Z) − I(Y;Z), β weighs here what β/(1 + β) weighs in vib.
    """

    def parameters(
        self, latent: int, classes: Classes, target_dim: int | None
    ) -> Mapping[str, Tensor]:
        """`mean` and `log_width` (classes, K); for a continuous Y (1, K), and `slope` (d, K)."""
        count = sum(classes) if isinstance(classes, tuple) else classes or 1
        rows = {name: torch.zeros(count, latent) for name in ("mean", "log_width")}
        return rows if target_dim is None else {**rows, "slope": torch.zeros(target_dim, latent)}

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        backward = _backward(output, y)
        return *prediction_losses(output, y), output.gaussian.kl_from(backward).mean()


def _backward(output: Output, y: Tensor) -> GaussianEncoding:
    """b(z|y_i) for each example."""
    own = output.own
    if "slope" in own:
        mean = own["mean"] + y @ own["slope"]
        return GaussianEncoding(mean, own["log_width"].exp().expand_as(mean))
    rows, first = [], 0
    for prediction, label in by_task(output.prediction, y):
        rows.append(first + label)  # each task's classes follow those of the one before
        first += class_logits(prediction, "ceb").shape[-1]
    mean, log_width = (
        torch.stack([own[name][row] for row in rows]).sum(0) for name in ("mean", "log_width")
    )
    return GaussianEncoding(mean, log_width.exp())
