"""Descent with linear, MGDA and MIB weights on a concave front (Fonseca and Fleming 1995).

The two losses 1 − exp(−(t ∓ 1)²) of one parameter t have their minima at 1 and −1, and every t from
−1 to 1 is Pareto optimal. The front is concave, so linear scalarisation reaches only points near
the ends of the front.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from paretoib.weighting._linear import Linear
from paretoib.weighting._weighting import Weights


def losses_and_gradients(t: Tensor) -> tuple[Tensor, Tensor]:
    offsets = torch.stack([t - 1, t + 1], dim=1)
    return 1 - (-offsets.square()).exp(), 2 * offsets * (-offsets.square()).exp()


def descend(
    start: Tensor,
    weigh: Callable[[Tensor, Tensor], Weights],
    iterations: int,
    learning_rate: Tensor | float,
) -> Tensor:
    """The end points of gradient descent with the weights from `weigh`."""
    t = start
    for _ in range(iterations):
        losses, gradients = losses_and_gradients(t)
        weights = weigh(losses, gradients.unsqueeze(2)).step
        t = t - learning_rate * (weights * gradients).sum(1)
    return t


def test_linear_scalarisation_reaches_only_points_near_the_ends_of_the_front() -> None:
    """All end points have |t| > 1/√2, and the best end point of each β has |t| > 0.957.

    Stationary points satisfy β = B(t) = (1 − t)/(1 + t) e^{4t}. They are minima where B decreases,
    that is, where |t| > 1/√2. For β ≤ 1 the minimum at t > 0 is the lower one, and B(t) ≤ 1 there
    means t > 0.957. For β ≥ 1 the same holds for −t.
    """
    betas = torch.logspace(-3, 3, 41, dtype=torch.float64)
    starts = torch.linspace(-1.5, 1.5, 20, dtype=torch.float64)
    beta, start = (grid.flatten() for grid in torch.meshgrid(betas, starts, indexing="ij"))
    linear = Linear()
    ends = descend(
        start, lambda losses, _: linear(losses, None, {"beta": beta}), 500, 0.3 / (1 + beta)
    )
    assert 0.5**0.5 < ends.abs().min() < ends.abs().max() < 1 + 1e-3
    losses, _ = losses_and_gradients(ends)
    best = (losses[:, 0] + beta * losses[:, 1]).view(len(betas), -1).argmin(1)
    chosen = ends.view(len(betas), -1)[torch.arange(len(betas)), best]
    assert chosen.abs().min() > 0.957
    assert chosen.min() < 0 < chosen.max()


def test_mgda_stops_at_the_first_point_on_the_front(weighting: Callable[..., Any]) -> None:
    """With MGDA, a start on the front is stationary; other starts stop at the nearer end."""
    start = torch.linspace(-1.5, 1.5, 31, dtype=torch.float64)
    ends = descend(start, weighting("mgda"), 80, 0.3)
    torch.testing.assert_close(ends, start.clamp(-1, 1), rtol=0, atol=1e-5)


def test_mib_ends_in_the_middle_of_the_front(weighting: Callable[..., Any]) -> None:
    """With exact weights, MIB ends at t = 0, where the weighted losses are equal.

    The starts have |t| ≤ 0.9.
    """
    start = torch.linspace(-0.9, 0.9, 19, dtype=torch.float64)
    ends = descend(start, weighting("mib", solver="closed_form"), 80, 0.3)
    torch.testing.assert_close(ends, torch.zeros_like(ends), rtol=0, atol=1e-6)
