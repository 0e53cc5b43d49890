"""Fixed points of min-norm weights and MIB.

Two losses of one parameter t: Fonseca and Fleming's f = 1 − exp(−(t ∓ 1)²), or parabolas. Every t
between the minima is Pareto optimal; there the gradients g_1 and g_2 have opposite directions.

The min-norm weights w minimise ‖w_1 g_1 + w_2 g_2‖ with w ≥ 0 and w_1 + w_2 = 1. MIB's weights are
(1 + α_i) w̃_i, where w̃ = w² for `sqrted=1` and w̃ = w for `sqrted=0` (mib eq. 12), and
α = softmax(w̃ L/μ), or α = 0 without smoothing.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from paretoib.weighting._linear import Linear
from paretoib.weighting._mgda import MGDA
from paretoib.weighting._mib import MIB
from paretoib.weighting._weighting import Weighting, Weights

OPTIONS: dict[str, Any] = {
    "gradient": "parameters",
    "over": "shared",
    "normalise": "none",
}
EXACT: dict[str, Any] = {**OPTIONS, "solver": "closed_form"}
STARTS = torch.linspace(-0.9, 0.9, 7, dtype=torch.float64)

Problem = Callable[[Tensor], Tensor]


def fonseca_fleming(t: Tensor) -> Tensor:
    """Two losses whose front is concave and symmetric in t."""
    return 1 - torch.exp(-torch.stack([(t - 1).square(), (t + 1).square()], dim=1))


def parabolas(t: Tensor) -> Tensor:
    """Two losses whose front is convex; the second loss is three times as steep as the first."""
    return torch.stack([(t - 1).square(), 3 * (t + 1).square()], dim=1)


def descend(
    problem: Problem,
    weighting: Weighting,
    *,
    learning_rate: float = 0.1,
    iterations: int = 400,
    **hyper: float,
) -> tuple[Tensor, Tensor, Weights]:
    """Gradient descent from all starts: end points (M,), losses (M, 2) and weights."""
    t = STARTS.clone()
    hyper = {"iterations": 100, **hyper}
    per_trial = {name: torch.full_like(t, value) for name, value in hyper.items()}
    for _ in range(iterations):
        t.requires_grad_()
        losses = problem(t)
        gradients = torch.stack(
            [torch.autograd.grad(loss.sum(), t, retain_graph=True)[0] for loss in losses.unbind(1)],
            dim=1,
        )
        gramian = gradients.unsqueeze(2) * gradients.unsqueeze(1)
        weights = weighting(losses.detach(), gramian, per_trial)
        t = (t - learning_rate * (weights.step * gradients).sum(1)).detach()
    return t, losses.detach(), weights


@pytest.mark.parametrize("problem", [fonseca_fleming, parabolas])
def test_min_norm_weights_do_not_move_a_pareto_optimal_point(problem: Problem) -> None:
    """With min-norm weights, every Pareto-optimal start is stationary.

    So the starts determine the front of MGDA.
    """
    ends, *_ = descend(problem, MGDA(**EXACT), iterations=100)
    torch.testing.assert_close(ends, STARTS, rtol=0, atol=1e-9)


def test_mib_with_squared_weights_ends_at_one_point_of_a_concave_front() -> None:
    """From every start on Fonseca–Fleming, MIB ends at t = 0, where w̃_1 L_1 = w̃_2 L_2."""
    mib = MIB(smooth=True, **EXACT)
    ends, losses, weights = descend(fonseca_fleming, mib, sqrted=1.0, mu=0.2)
    torch.testing.assert_close(ends, torch.zeros_like(ends), rtol=0, atol=1e-3)
    weighted = weights.log["weight_powered"] * losses
    torch.testing.assert_close(weighted[:, 0], weighted[:, 1], rtol=1e-2, atol=0)


def test_mib_without_smoothing_ends_at_equal_gradient_norms_on_a_concave_front() -> None:
    """Without smoothing, MIB ends where Σ w_i² g_i = 0.

    There w is (½, ½), and the gradient norms are equal. On Fonseca–Fleming this point is t = 0, and
    descent converges to it.
    """
    mib = MIB(smooth=False, **EXACT)
    ends, _, weights = descend(fonseca_fleming, mib, sqrted=1.0, mu=0.2)
    torch.testing.assert_close(ends, torch.zeros_like(ends), rtol=0, atol=1e-3)
    half = torch.full_like(weights.step, 0.5)
    torch.testing.assert_close(weights.log["weight"], half, rtol=0, atol=1e-3)


@pytest.mark.parametrize("smooth", [False, True])
def test_mib_with_squared_weights_ends_at_the_ends_of_a_convex_front(smooth: bool) -> None:
    """On two equally steep parabolas, MIB moves away from the point of equal gradient norms.

    MIB ends at the ends of the front, because the shorter gradient has the larger weight. Smoothing
    does not change this, because w̃_1 L_1 = w̃_2 L_2 everywhere, so α is (½, ½).
    """

    def equal_parabolas(t: Tensor) -> Tensor:
        return torch.stack([(t - 1).square(), (t + 1).square()], dim=1)

    mib = MIB(smooth=smooth, **EXACT)
    ends, losses, weights = descend(equal_parabolas, mib, sqrted=1.0, mu=0.2)
    inner = STARTS.abs() > 0.01  # the middle is a fixed point
    torch.testing.assert_close(ends[inner], STARTS[inner].sign(), rtol=0, atol=1e-2)
    weighted = weights.log["weight_powered"] * losses
    torch.testing.assert_close(weighted[:, 0], weighted[:, 1])


@pytest.mark.parametrize("problem", [fonseca_fleming, parabolas])
def test_mib_without_squares_ends_at_equal_weighted_losses(problem: Problem) -> None:
    """Without squares, MIB ends where Σ (1 + α_i) w_i g_i = 0.

    There α is (½, ½), so w_1 L_1 = w_2 L_2.
    """
    mib = MIB(smooth=True, **EXACT)
    ends, losses, weights = descend(problem, mib, sqrted=0.0, mu=0.2)
    assert ends.std() < 1e-4
    weighted = weights.log["weight"] * losses
    torch.testing.assert_close(weighted[:, 0], weighted[:, 1], rtol=1e-3, atol=0)


@pytest.mark.parametrize("sqrted", [0.0, 1.0])
def test_mib_as_published_leaves_every_start_on_a_concave_front(sqrted: float) -> None:
    """With 100 iterations of Frank-Wolfe, MIB ends near t = 0 from every start.

    Without smoothing and without squares the weights are those of MGDA, which keeps its start.
    """
    mib = MIB(smooth=True, **OPTIONS, solver="frank_wolfe")
    ends, *_ = descend(fonseca_fleming, mib, sqrted=sqrted, mu=0.2)
    torch.testing.assert_close(ends, torch.zeros_like(ends), rtol=0, atol=0.05)
    ablated = MIB(smooth=False, **OPTIONS, solver="frank_wolfe")
    ends, *_ = descend(fonseca_fleming, ablated, sqrted=0.0, mu=0.2, iterations=20)
    torch.testing.assert_close(ends, STARTS, rtol=0, atol=0.05)


def test_theorem_1_of_mib_does_not_hold() -> None:
    """The minimum of Smooth-IB is not that of the weighted sum, against mib theorem 1.

    For L = (x², (x − 1)²) and w = (0.3, 0.7), the weighted sum is least at x = 0.700. Smooth-IB
    with w̃ = w² and μ = 0.2 is least at x = 0.834.
    """
    x = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    losses = torch.stack([x.square(), (x - 1).square()], dim=1)
    w = torch.tensor([0.3, 0.7], dtype=torch.float64)
    weighted = w.square() * losses
    smooth_ib = weighted.sum(1) + 0.2 * (weighted / 0.2).logsumexp(1)
    assert float(x[(w * losses).sum(1).argmin()]) == pytest.approx(0.7, abs=1e-4)
    assert float(x[smooth_ib.argmin()]) == pytest.approx(0.834, abs=5e-4)


@pytest.mark.parametrize("beta", [0.2, 0.8, 0.95, 1.05, 1.25, 5.0])
def test_linear_scalarisation_ends_at_the_ends_of_a_concave_front(beta: float) -> None:
    """With linear weights on Fonseca–Fleming, the best end point of each β has |t| > 0.957.

    All end points have |t| > 0.9.
    """
    ends, losses, _ = descend(fonseca_fleming, Linear(), beta=beta)
    best = ends[(losses[:, 0] + beta * losses[:, 1]).argmin()]
    assert 0.957 < abs(float(best)) <= 1
    assert (ends.abs() > 0.9).all()
