"""The conditional entropy bottleneck.

Fischer: The Conditional Entropy Bottleneck, 2020. Kirsch, Lyle, Gal: Unpacking Information
Bottlenecks, section 4.2. I(X;Z|Y) ≤ E KL(p(z|x) ‖ b(z|y)) for any b, with equality for b = p(z|y).
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
    """Losses: prediction, and compression = E KL(p(z|x) ‖ b(z|y)) in nats, a bound on I(X;Z|Y).

    b(z|y) = N(m_y, diag s_y²) is learned, with one m_y and one s_y for each class. For a continuous
    Y, m_y is linear in y, and s_y is the same for all y. For several tasks, m_y and log s_y are
    sums over the tasks. b starts as N(0, I).

    Because I(X;Z|Y) = I(X;Z) − I(Y;Z), β here corresponds to β/(1 + β) in vib.
    """

    def parameters(
        self, latent: int, classes: Classes, target_dim: int | None
    ) -> Mapping[str, Tensor]:
        """`mean` and `log_width` (classes, K), where `log_width` holds log s_y.

        For a continuous Y both have shape (1, K), and `slope` has shape (d, K).
        """
        count = sum(classes) if isinstance(classes, tuple) else classes or 1
        rows = {name: torch.zeros(count, latent) for name in ("mean", "log_width")}
        return rows if target_dim is None else {**rows, "slope": torch.zeros(target_dim, latent)}

    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:  # noqa: ARG002
        backward = _backward(output, y)
        return *prediction_losses(output, y), output.gaussian.kl_from(backward).mean()


def _backward(output: Output, y: Tensor) -> GaussianEncoding:
    """b(z|y_i) for each example."""
    parameters = output.objective_parameters
    if "slope" in parameters:
        mean = parameters["mean"] + y @ parameters["slope"]
        return GaussianEncoding(mean, parameters["log_width"].exp().expand_as(mean))
    rows, first = [], 0
    for prediction, label in by_task(output.prediction, y):
        rows.append(first + label)  # each task's rows follow those of the previous task
        first += class_logits(prediction, "ceb").shape[-1]
    mean, log_width = (
        torch.stack([parameters[name][row] for row in rows]).sum(0)
        for name in ("mean", "log_width")
    )
    return GaussianEncoding(mean, log_width.exp())
