"""Smooth Chebyshev scalarisation (Lin et al. 2024), against autograd and on a concave front."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from paretoib.weighting._chebyshev import SmoothChebyshev


def smooth_weights(losses: Tensor, preference: Tensor, **options: Any) -> Tensor:
    hyper = {"preference": preference}
    return SmoothChebyshev(**{"mu": 0.1, "scale": 10.0} | options)(losses, None, hyper).step


@pytest.mark.parametrize("losses", [2, 3])
@pytest.mark.parametrize("mu", [0.01, 0.1, 5.0])
def test_the_weights_are_the_gradient_of_the_smooth_maximum(losses: int, mu: float) -> None:
    """The weights are the gradient of μ log Σ_i exp(λ_i f_i/μ) with respect to the losses L_i.

    f_i = L_i/u_i is the loss in units of u_i nats; u_i is 1 for prediction and `scale` for the
    other losses.
    """
    values = torch.rand(20, losses, dtype=torch.float64).requires_grad_()
    preference = torch.linspace(0.05, 0.95, 20, dtype=torch.float64)
    others = (1 - preference) / (losses - 1)
    lambdas = torch.stack([preference, *[others] * (losses - 1)], dim=1)
    units = torch.tensor([1.0, *[10.0] * (losses - 1)])
    maximum = mu * (lambdas * values / units / mu).logsumexp(1)
    (expected,) = torch.autograd.grad(maximum.sum(), values)
    torch.testing.assert_close(smooth_weights(values.detach(), preference, mu=mu), expected)


def test_near_mu_0_only_the_largest_loss_has_a_weight() -> None:
    """For μ near 0, the loss with the largest λ_i f_i has weight λ_i/u_i, the other loss 0."""
    losses = torch.tensor([[1.0, 30.0], [4.0, 30.0]])
    weights = smooth_weights(losses, torch.tensor([0.5, 0.5]), mu=1e-3)
    torch.testing.assert_close(weights, torch.tensor([[0.0, 0.05], [0.5, 0.0]]))


def test_a_large_mu_gives_linear_scalarisation() -> None:
    """For a large μ, the weights are proportional to λ_i/u_i, whatever the losses."""
    weights = smooth_weights(10 * torch.rand(9, 2), torch.full((9,), 0.2), mu=1e3)
    ratios = weights[:, 1] / weights[:, 0]
    torch.testing.assert_close(ratios, torch.full((9,), 0.8 / 10 / 0.2), rtol=1e-2, atol=0)


def test_preferences_reach_every_part_of_a_concave_front() -> None:
    """For every λ and start, descent ends at the point where λ f_1 = (1 − λ) f_2.

    The losses are those of test_fonseca_fleming.py, where no β reaches the inner points.
    """
    preferences = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)
    starts = torch.linspace(-1, 1, 7, dtype=torch.float64)
    preference, t = (grid.flatten() for grid in torch.meshgrid(preferences, starts, indexing="ij"))
    for _ in range(3000):
        offsets = torch.stack([t - 1, t + 1], dim=1)
        values, gradients = 1 - (-offsets.square()).exp(), 2 * offsets * (-offsets.square()).exp()
        t = t - 0.03 * (smooth_weights(values, preference, mu=0.01, scale=1.0) * gradients).sum(1)
    values = 1 - (-torch.stack([t - 1, t + 1], dim=1).square()).exp()
    # With smoothing, the terms differ by μ log of the ratio of their slopes, which is below 100.
    terms = torch.stack([preference * values[:, 0], (1 - preference) * values[:, 1]])
    assert (terms[0] - terms[1]).abs().max() < 0.01 * math.log(100)
    ends = t.view(9, 7)
    assert (ends.max(1).values - ends.min(1).values).max() < 1e-6
    assert (ends[:, 0].diff() > 0.02).all()
    assert ends.abs().min() < 1e-6
