"""CAGrad, by the duality gap of its problem (Liu et al. 2021, algorithm 1).

torchjd's CAGrad needs a solver for convex programs, so it is not used here. The gap between the
values of the primal and the dual problem is 0 only at the solution.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from paretoib.weighting._cagrad import CAGrad, _two_losses, best_face, dual_weights

Draw = Callable[..., Tensor]
Build = Callable[..., Any]


def step_of(weighting: Build, rows: Tensor, c: float) -> Tensor:
    losses = torch.ones(rows.shape[:2], dtype=torch.float64)
    return torch.einsum("mi,mik->mk", weighting("cagrad", c=c)(losses, rows).step, rows)


@pytest.mark.parametrize("c", [0.125, 0.5, 0.875])
@pytest.mark.parametrize(
    ("trials", "losses", "parameters"), [(1000, 2, 5), (1000, 3, 5), (1000, 3, 2), (20, 8, 5)]
)
def test_the_step_solves_the_published_problem(
    weighting: Build, jacobians: Draw, trials: int, losses: int, parameters: int, c: float
) -> None:
    """The step d is in the ball ‖d − g_0‖ ≤ c ‖g_0‖, and min_i ⟨g_i, d⟩ is the dual value.

    No other step in the ball has a larger min_i ⟨g_i, d⟩, because the dual value is a bound on it.
    """
    rows = jacobians(trials, losses, parameters)
    mean = rows.mean(1)
    radius = c * mean.norm(dim=1)
    step = step_of(weighting, rows, c)
    assert ((step - mean).norm(dim=1) <= radius * (1 + 1e-9)).all()
    weights = dual_weights(rows @ rows.mT, radius)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(trials, dtype=torch.float64))
    combined = torch.einsum("mi,mik->mk", weights, rows)
    dual = (combined * mean).sum(1) + radius * combined.norm(dim=1)
    primal = torch.einsum("mik,mk->mi", rows, step).amin(1)
    scale = rows.norm(dim=2).amax(1).square()
    torch.testing.assert_close(primal / scale, dual / scale, rtol=0, atol=1e-9)


def test_the_closed_form_of_two_losses_is_the_best_face(jacobians: Draw) -> None:
    """Both solvers find the same dual weights for 1000 Jacobians of two losses."""
    rows = jacobians(1000, 2, 4)
    gramian = rows @ rows.mT
    for c in (0.1, 0.5, 0.9):
        radius = c * rows.mean(1).norm(dim=1)
        weights = _two_losses(gramian, radius)
        torch.testing.assert_close(weights, best_face(gramian, radius), rtol=0, atol=1e-9)
        inside = (weights > 0).all(1)
        assert 10 < inside.sum() < 990, "some optima should be at an end and some not"


@pytest.mark.parametrize("losses", [2, 3])
def test_c_of_0_gives_the_mean_gradient(weighting: Build, jacobians: Draw, losses: int) -> None:
    """With c = 0 the ball is the mean gradient alone."""
    rows = jacobians(100, losses, 5)
    torch.testing.assert_close(step_of(weighting, rows, 0.0), rows.mean(1))


@pytest.mark.parametrize("losses", [2, 3])
def test_a_zero_gradient_leaves_the_mean(weighting: Build, jacobians: Draw, losses: int) -> None:
    """If a gradient is zero, no step has min_i ⟨g_i, d⟩ > 0, and the step is the mean."""
    rows = jacobians(100, losses, 5)
    rows[:, 0] = 0
    rows[:, 1:] = rows[:, 1:].abs()  # the others agree, so 0 is the best value
    torch.testing.assert_close(step_of(weighting, rows, 0.5), rows.mean(1))


def test_c_may_differ_between_trials(weighting: Build, jacobians: Draw) -> None:
    """The weights of a trial depend only on its own c."""
    rows, losses = jacobians(2, 2, 5), torch.ones(2, 2, dtype=torch.float64)
    cagrad = CAGrad(gradient="parameters", over="shared")
    together = cagrad(losses, rows @ rows.mT, {"c": torch.tensor([0.25, 0.75])}).step
    for trial, c in enumerate((0.25, 0.75)):
        equal = weighting("cagrad", c=c)(losses, rows).step
        torch.testing.assert_close(together[trial], equal[trial])
    assert (together - equal).abs().max() > 0.01
