"""FAMO, against torchjd's FAMO and its aim: the logarithms of all losses fall equally fast."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torchjd.scalarization import FAMO

Build = Callable[..., Any]
TRIALS, STEPS = 4, 60


def walk(losses: int) -> Tensor:
    """Random positive losses before and after each step, (STEPS, 2, TRIALS, losses)."""
    generator = torch.Generator().manual_seed(0)
    shape = (STEPS, 2, TRIALS, losses)
    return torch.randn(shape, generator=generator, dtype=torch.float64).exp()


@pytest.mark.parametrize("losses", [2, 3])
@pytest.mark.parametrize("params", [{}, {"logit_step": 0.1, "logit_decay": 0.03}])
def test_the_weights_are_those_of_torchjd(
    remembering: Build, losses: int, params: dict[str, float]
) -> None:
    """In each of 60 steps, the weights of each trial are the gradient of torchjd's FAMO."""
    famo = remembering("famo", TRIALS, losses, **params)
    step, decay = params.get("logit_step", 0.025), params.get("logit_decay", 1e-3)
    oracles = [FAMO(losses, lr=step, weight_decay=decay).double() for _ in range(TRIALS)]
    for before, after in walk(losses):
        weights = famo.weights(before)
        famo.step(before, after)
        for trial, oracle in enumerate(oracles):
            values = before[trial].clone().requires_grad_()
            (expected,) = torch.autograd.grad(oracle(values), values)
            oracle.update(after[trial])
            torch.testing.assert_close(weights[trial], expected)
    assert (famo.hyper["logits"].abs() > 0.05).any()


def test_the_logarithms_of_the_losses_fall_equally_fast(remembering: Build) -> None:
    """For L_i = exp(−a_i θ_i) with a = (1, 3), FAMO finds z ∝ 1/a², which makes the rates equal.

    The step is η Σ_i z_i ∇ log L_i, which changes log L_i by −η z_i a_i².
    """
    slope = torch.tensor([1.0, 3.0], dtype=torch.float64)
    famo = remembering("famo", 1, 2, logit_decay=0.0)
    losses = torch.ones(1, 2, dtype=torch.float64)
    falls = []
    for _ in range(600):
        weighted = famo.weights(losses) * losses
        fall = 0.01 * weighted / weighted.sum() * slope**2
        famo.step(losses, losses * (-fall).exp())
        losses = losses * (-fall).exp()
        falls.append(fall)
    first, last = falls[0][0], torch.cat(falls[-100:]).mean(0)
    assert first[1] / first[0] == pytest.approx(9)
    assert last[1] / last[0] == pytest.approx(1, abs=0.02)


def test_a_loss_that_is_not_positive_has_finite_weights(remembering: Build) -> None:
    """A loss below 0 counts as 0 and gets nearly all weight; the logits stay finite."""
    famo = remembering("famo", 1, 2)
    losses = torch.tensor([[-1.0, 2.0]], dtype=torch.float64)
    famo.step(losses, losses + 1)
    weights = famo.weights(losses)
    assert weights.isfinite().all()
    assert weights[0, 0] > 0.99
    assert famo.hyper["logits"].isfinite().all()
