"""Invariances of MGDA's weights."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

Draw = Callable[..., Tensor]
SCALES = torch.tensor([3e-3, 40.0, 1.0], dtype=torch.float64)


@pytest.mark.parametrize("losses", [2, 3])
def test_l2_weights_do_not_depend_on_gradient_norms(
    weighting: Callable[..., Any], jacobians: Draw, losses: int
) -> None:
    """With normalisation `l2`, gradient norms do not change the weights; without it they do."""
    rows, scale = jacobians(50, losses, 7), SCALES[:losses]
    values = torch.ones(50, losses, dtype=torch.float64)
    l2, plain = weighting("mgda", normalise="l2"), weighting("mgda")
    scaled = rows * scale[:, None]
    torch.testing.assert_close(l2(values, scaled).step, l2(values, rows).step)
    assert (plain(values, scaled).step - plain(values, rows).step).abs().max() > 0.1


@pytest.mark.parametrize("losses", [2, 3])
def test_loss_weights_do_not_depend_on_the_units_of_losses(
    weighting: Callable[..., Any], jacobians: Draw, losses: int
) -> None:
    """With normalisation `loss`, the unit of a loss does not change the weights.

    A change of unit multiplies the loss and its gradient by one factor. A factor for the gradient
    alone changes the weights.
    """
    rows, scale = jacobians(50, losses, 7), SCALES[:losses]
    values = torch.rand(50, losses, dtype=torch.float64) + 0.1
    weigh = weighting("mgda", normalise="loss")
    plain, scaled = weigh(values, rows), weigh(values * scale, rows * scale[:, None])
    torch.testing.assert_close(plain.step, scaled.step)
    assert (plain.step - weigh(values, rows * scale[:, None]).step).abs().max() > 0.1


def test_a_negative_loss_is_normalised_by_its_absolute_value(
    weighting: Callable[..., Any], jacobians: Draw
) -> None:
    """With normalisation `loss`, the sign of a loss does not change the weights.

    The loss −log q of a density can be negative.
    """
    rows, values = jacobians(50, 2, 7), torch.rand(50, 2, dtype=torch.float64) + 0.1
    weigh, signs = weighting("mgda", normalise="loss"), torch.tensor([-1, 1])
    torch.testing.assert_close(weigh(values * signs, rows).step, weigh(values, rows).step)


def test_weights_do_not_depend_on_a_common_scale(
    weighting: Callable[..., Any], jacobians: Draw
) -> None:
    """Multiplying all gradients by one constant does not change the weights."""
    rows, values = jacobians(50, 3, 7), torch.ones(50, 3, dtype=torch.float64)
    weigh = weighting("mgda")
    torch.testing.assert_close(weigh(values, rows * 1e4).step, weigh(values, rows).step)


@pytest.mark.parametrize("losses", [2, 3])
def test_the_weighted_gradient_is_a_descent_direction_of_every_loss(
    weighting: Callable[..., Any], jacobians: Draw, losses: int
) -> None:
    """MGDA's weights give ⟨g_i, Σ w_j g_j⟩ ≥ 0 for all i: a small step increases no loss."""
    rows, values = jacobians(200, losses, 7), torch.ones(200, losses, dtype=torch.float64)
    weights = weighting("mgda")(values, rows).step
    inner_products = torch.einsum("mik,mj,mjk->mi", rows, weights, rows)
    assert (inner_products >= -1e-9).all()


@pytest.mark.parametrize("normalise", ["l2", "loss"])
def test_a_zero_gradient_gets_weight_1(weighting: Callable[..., Any], normalise: str) -> None:
    """A loss with zero gradient gets weight 1, so the point is stationary.

    Weights are finite even if this loss is 0.
    """
    rows = torch.tensor([[[1.0, 2.0], [0.0, 0.0]]])
    weights = weighting("mgda", normalise=normalise)(torch.tensor([[1.0, 0.0]]), rows)
    torch.testing.assert_close(weights.step, torch.tensor([[0.0, 1.0]]))
