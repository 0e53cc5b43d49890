"""MIB's step, against the autograd gradient of the paper's loss (mib eqs 12–14)."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from paretoib.weighting._mib import MIB
from paretoib.weighting._min_norm import frank_wolfe_weights, min_norm_weights

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
    """mib eq. 13 as printed, including the min."""
    weighted = powered * losses
    least = weighted.min(1, keepdim=True).values
    smooth = mu * ((weighted - least) / mu).logsumexp(1)
    return weighted.sum(1) + smooth + least.squeeze(1)


@pytest.mark.parametrize("losses", [2, 3])
@pytest.mark.parametrize("sqrted", [0, 1])
@pytest.mark.parametrize("mu", [0.05, 0.2, 5.0])
def test_the_step_is_the_gradient_of_smooth_ib(
    weighting: Callable[..., Any], losses: int, sqrted: int, mu: float
) -> None:
    """Σ_i step_i ∇L_i is the autograd gradient of mib eq. 13 with constant weights."""
    problem = Quadratics(losses)
    jacobians = problem.jacobians
    result = weighting("mib", mu=mu, sqrted=sqrted)(problem.losses.detach(), jacobians)
    assert (result.log["alpha"] > 0.01).all(1).any(), "smoothing should matter somewhere"
    powered = min_norm_weights(jacobians @ jacobians.mT) ** (1 + sqrted)
    total = smooth_ib(problem.losses, powered, mu).sum()
    (expected,) = torch.autograd.grad(total, problem.theta)
    torch.testing.assert_close(
        torch.einsum("mi,mik->mk", result.step, jacobians), expected, rtol=1e-6, atol=1e-7
    )


def test_the_log_has_every_intermediate_result(weighting: Callable[..., Any]) -> None:
    """The log holds w*, w̃ = w*² and α = softmax(w̃ L/μ); the step is (1 + α) w̃."""
    problem = Quadratics(2)
    result = weighting("mib", mu=0.3)(problem.losses.detach(), problem.jacobians)
    weight, powered, alpha = (result.log[k] for k in ("weight", "weight_powered", "alpha"))
    torch.testing.assert_close(powered, weight.square())
    torch.testing.assert_close(alpha, torch.softmax(powered * problem.losses.detach() / 0.3, 1))
    torch.testing.assert_close(result.step, (1 + alpha) * powered)


def test_mu_and_sqrted_may_differ_between_trials(weighting: Callable[..., Any]) -> None:
    """One pack with two values of each has the weights of two packs with one value of each."""
    problem = Quadratics(2)
    jacobians = problem.jacobians
    mib = MIB(
        adaptive=True,
        smooth=True,
        gradient="parameters",
        over="shared",
        normalise="none",
        solver="closed_form",
        iterations=1,
    )
    half = torch.arange(TRIALS) % 2
    hyper = {"mu": 0.1 + 0.9 * half, "sqrted": half.float()}
    mixed = mib(problem.losses.detach(), jacobians @ jacobians.mT, hyper).step
    for which, (mu, sqrted) in enumerate([(0.1, 0), (1.0, 1)]):
        one = weighting("mib", mu=mu, sqrted=sqrted)(problem.losses.detach(), jacobians).step
        torch.testing.assert_close(mixed[half == which], one[half == which])


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"smooth": False}, lambda w, _: w**2),
        ({"smooth": False, "sqrted": 0}, lambda w, _: w),
        ({"adaptive": False, "smooth": False}, lambda w, _: torch.full_like(w, 0.25)),
        ({"adaptive": False, "smooth": False, "sqrted": 0}, lambda w, _: torch.full_like(w, 0.5)),
        (
            {"adaptive": False, "sqrted": 0},
            lambda w, losses: (1 + torch.softmax(losses / 2 / 0.2, 1)) / 2 + 0 * w,
        ),
    ],
)
def test_ablations_switch_parts_off(
    weighting: Callable[..., Any],
    switches: dict[str, Any],
    expected: Callable[[Tensor, Tensor], Tensor],
) -> None:
    """mib figure 5: `smooth=False` sets α = 0, `adaptive=False` w* = 1/m, `sqrted=0` w̃ = w*."""
    problem = Quadratics(2)
    jacobians, losses = problem.jacobians, problem.losses.detach()
    weights = min_norm_weights(jacobians @ jacobians.mT)
    result = weighting("mib", **switches)(losses, jacobians)
    torch.testing.assert_close(result.step, expected(weights, losses))


def test_without_adaptation_no_gradient_is_needed() -> None:
    """The ablation with equal weights needs one backward pass."""
    options: dict[str, Any] = {
        "smooth": True,
        "gradient": "parameters",
        "over": "shared",
        "normalise": "none",
        "solver": "closed_form",
        "iterations": 1,
    }
    assert MIB(adaptive=False, **options).gradient == "none"
    assert MIB(adaptive=True, **options).gradient == "parameters"


@pytest.mark.parametrize("name", ["mib", "mgda"])
def test_the_published_solver_can_be_chosen(weighting: Callable[..., Any], name: str) -> None:
    """`solver=frank_wolfe` makes `iterations` steps."""
    problem = Quadratics(2)
    jacobians = problem.jacobians
    result = weighting(name, solver="frank_wolfe", iterations=7)(problem.losses.detach(), jacobians)
    expected = frank_wolfe_weights(jacobians @ jacobians.mT, 7)
    torch.testing.assert_close(result.log["weight"], expected)
