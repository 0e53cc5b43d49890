"""MIB's weights, against the autograd gradient of the paper's loss (mib eqs 12–14)."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from paretoib.weighting._frank_wolfe import FrankWolfe
from paretoib.weighting._mib import MIB, SmoothLinear
from paretoib.weighting._min_norm import min_norm_weights

Draw = Callable[..., Tensor]
TRIALS, DIMENSIONS = 20, 6


class Quadratics:
    """L_i(θ) = ½ (θ − c_i)ᵀ A_i (θ − c_i) at random points θ, one for each trial."""

    def __init__(self, losses: int, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, dtype=torch.float64)

        roots = draw(TRIALS, losses, DIMENSIONS, DIMENSIONS)
        self.curvature = roots @ roots.mT / 100
        self.centre = draw(TRIALS, losses, DIMENSIONS)
        self.theta = draw(TRIALS, DIMENSIONS).requires_grad_()

    @property
    def losses(self) -> Tensor:
        offset = self.theta[:, None] - self.centre
        return torch.einsum("mik,mikl,mil->mi", offset, self.curvature, offset) / 2

    @property
    def jacobians(self) -> Tensor:
        offset = self.theta.detach()[:, None] - self.centre
        return torch.einsum("mikl,mil->mik", self.curvature, offset)


def smooth_ib(losses: Tensor, powered: Tensor, mu: float) -> Tensor:
    """Smooth-IB, mib eq. 13, as printed, including the min."""
    weighted = powered * losses
    minimum = weighted.min(1, keepdim=True).values
    smooth = mu * ((weighted - minimum) / mu).logsumexp(1)
    return weighted.sum(1) + smooth + minimum.squeeze(1)


@pytest.mark.parametrize("losses", [2, 3])
@pytest.mark.parametrize("sqrted", [0, 1])
@pytest.mark.parametrize("mu", [0.05, 0.2, 5.0])
def test_the_weighted_gradient_is_the_gradient_of_smooth_ib(
    weighting: Callable[..., Any], losses: int, sqrted: int, mu: float
) -> None:
    """The weighted sum of the ∇L_i is the gradient of mib eq. 13 with constant w̃."""
    problem = Quadratics(losses)
    jacobians = problem.jacobians
    exact = {"mu": mu, "sqrted": sqrted, "solver": "closed_form"}
    result = weighting("mib", **exact)(problem.losses.detach(), jacobians)
    assert (result.log["alpha"] > 0.01).all(1).any(), "in some trial every α should exceed 0.01"
    powered = min_norm_weights(jacobians @ jacobians.mT) ** (1 + sqrted)
    total = smooth_ib(problem.losses, powered, mu).sum()
    (expected,) = torch.autograd.grad(total, problem.theta)
    torch.testing.assert_close(
        torch.einsum("mi,mik->mk", result.step, jacobians), expected, rtol=1e-6, atol=1e-7
    )


def test_the_log_has_every_intermediate_result(weighting: Callable[..., Any]) -> None:
    """The log has the min-norm weights w*, w̃ = w*² and α = softmax(w̃ L/μ).

    MIB's weights are (1 + α) w̃.
    """
    problem = Quadratics(2)
    result = weighting("mib", mu=0.3)(problem.losses.detach(), problem.jacobians)
    weight, powered, alpha = (result.log[k] for k in ("weight", "weight_powered", "alpha"))
    torch.testing.assert_close(powered, weight.square())
    torch.testing.assert_close(alpha, torch.softmax(powered * problem.losses.detach() / 0.3, 1))
    torch.testing.assert_close(result.step, (1 + alpha) * powered)


def test_hyperparameters_may_differ_between_trials(weighting: Callable[..., Any]) -> None:
    """The weights of a trial do not depend on μ, `sqrted` and T of the other trials in its pack."""
    problem = Quadratics(2)
    jacobians = problem.jacobians
    mib = MIB(
        smooth=True,
        gradient="parameters",
        over="shared",
        normalise="none",
        solver="frank_wolfe",
    )
    second_half = torch.arange(TRIALS) % 2
    hyper = {
        "mu": 0.1 + 0.9 * second_half,
        "sqrted": second_half.float(),
        "iterations": 5.0 + 15 * second_half,
    }
    different = mib(problem.losses.detach(), jacobians @ jacobians.mT, hyper).step
    for half, (mu, sqrted, iterations) in enumerate([(0.1, 0, 5), (1.0, 1, 20)]):
        settings = {"mu": mu, "sqrted": sqrted, "iterations": iterations}
        equal = weighting("mib", **settings)(problem.losses.detach(), jacobians).step
        torch.testing.assert_close(different[second_half == half], equal[second_half == half])


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"smooth": False}, lambda w, _: w**2),
        ({"smooth": False, "sqrted": 0}, lambda w, _: w),
        ({"sqrted": 0}, lambda w, losses: (1 + torch.softmax(w * losses / 0.2, 1)) * w),
    ],
)
def test_the_ablations_of_mib(
    weighting: Callable[..., Any],
    switches: dict[str, Any],
    expected: Callable[[Tensor, Tensor], Tensor],
) -> None:
    """`smooth=False` sets α = 0, and `sqrted=0` sets w̃ = w*."""
    problem = Quadratics(2)
    jacobians, losses = problem.jacobians, problem.losses.detach()
    weights = min_norm_weights(jacobians @ jacobians.mT)
    result = weighting("mib", solver="closed_form", **switches)(losses, jacobians)
    torch.testing.assert_close(result.step, expected(weights, losses))


def test_mib_without_adaptive_weights_has_the_gradient_of_smooth_ib(
    weighting: Callable[..., Any],
) -> None:
    """With hand-set weights (1, β), the step is the gradient of mib eq. 13 (figure 5)."""
    problem = Quadratics(2)
    result = weighting("smooth_linear", beta=0.01)(problem.losses.detach(), problem.jacobians)
    hand_set = torch.tensor([1, 0.01], dtype=torch.float64)
    (expected,) = torch.autograd.grad(smooth_ib(problem.losses, hand_set, 0.2).sum(), problem.theta)
    torch.testing.assert_close(
        torch.einsum("mi,mik->mk", result.step, problem.jacobians), expected, rtol=1e-5, atol=1e-6
    )


def test_hand_set_weights_need_no_gramian() -> None:
    """`smooth_linear` compares no gradients, so one backward pass is enough."""
    assert SmoothLinear().gradient == "none"


@pytest.mark.parametrize("name", ["mib", "mgda"])
def test_frank_wolfe_can_be_chosen(weighting: Callable[..., Any], name: str) -> None:
    """With `solver=frank_wolfe`, the weights are those after `iterations` iterations."""
    problem = Quadratics(2)
    jacobians = problem.jacobians
    result = weighting(name, solver="frank_wolfe", iterations=7)(problem.losses.detach(), jacobians)
    expected = FrankWolfe(torch.full((TRIALS,), 7.0))(jacobians @ jacobians.mT)
    torch.testing.assert_close(result.log["weight"], expected)
