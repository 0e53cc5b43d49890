"""`unit_sum`, against torchjd's IMTL-G and the equation of Nash-MTL."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torchjd.aggregation import IMTLG, Sum

Draw = Callable[..., Tensor]
Build = Callable[..., Any]


def step(weights: Tensor, jacobians: Tensor) -> Tensor:
    return torch.einsum("mi,mik->mk", weights, jacobians)


def test_two_losses_have_the_direction_of_imtl_g(weighting: Build, jacobians: Draw) -> None:
    """For 1000 Jacobians of two losses, the step has the direction of torchjd's IMTL-G.

    IMTL-G scales its weights to the sum 1.
    """
    rows = jacobians(1000, 2, 5)
    weights = weighting("unit_sum")(torch.ones(1000, 2), rows).step.double()
    oracle = torch.stack([IMTLG()(matrix) for matrix in rows])
    torch.testing.assert_close(
        step(weights / weights.sum(1, keepdim=True), rows), oracle, rtol=1e-5, atol=1e-6
    )


def test_two_losses_have_the_direction_of_nash_mtl(weighting: Build, jacobians: Draw) -> None:
    """For two losses, the weights are proportional to the solution of G w = 1/w (Nash-MTL)."""
    rows = jacobians(1000, 2, 5)
    gramian = rows @ rows.mT
    weights = weighting("unit_sum")(torch.ones(1000, 2, dtype=torch.float64), rows).step
    products = weights * torch.einsum("mij,mj->mi", gramian, weights)  # 1 for Nash-MTL, times c²
    torch.testing.assert_close(products[:, 0], products[:, 1])


@pytest.mark.parametrize("losses", [3, 8])
def test_the_step_is_the_sum_of_the_unit_gradients(
    weighting: Build, jacobians: Draw, losses: int
) -> None:
    """For 1000 Jacobians, the step is torchjd's sum of gradients of length 1."""
    rows = jacobians(1000, losses, 12)
    weights = weighting("unit_sum")(torch.ones(1000, losses, dtype=torch.float64), rows).step
    units = rows / rows.norm(dim=2, keepdim=True)
    oracle = torch.stack([Sum()(matrix) for matrix in units])
    torch.testing.assert_close(step(weights, rows), oracle)


def test_three_losses_are_neither_imtl_g_nor_nash_mtl(weighting: Build, jacobians: Draw) -> None:
    """For three losses, projections onto the unit gradients differ, and G w ≠ c/w."""
    rows = jacobians(100, 3, 5)
    gramian = rows @ rows.mT
    weights = weighting("unit_sum")(torch.ones(100, 3, dtype=torch.float64), rows).step
    projections = weights * torch.einsum("mij,mj->mi", gramian, weights)
    assert (projections.max(1).values - projections.min(1).values).median() > 0.1


def test_a_zero_gradient_does_not_give_an_infinite_weight(weighting: Build) -> None:
    """A norm counts as at least 1e-6 of the largest; all weights are 1 if all gradients are 0."""
    rows = torch.tensor([[[3.0, 4.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    weights = weighting("unit_sum")(torch.ones(2, 2), rows).step
    torch.testing.assert_close(weights, torch.tensor([[0.2, 0.2e6], [1.0, 1.0]]))
