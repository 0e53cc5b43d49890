"""Optima of scalarisations for labels that are a function of the input.

Kolchinsky, Tracey, Van Kuyk: Caveats for information bottleneck in deterministic scenarios, 2018.
The IB curve is I(Y;Z) = min(I(X;Z), H(Y)). On its slope, rates between 0 and H(Y), all points have
the same Lagrangian for β = 1, and no other β selects them. With the square of the rate (Rodríguez
Gálvez et al. 2020) some β selects each point of the slope.
"""

import math
from collections.abc import Sequence
from functools import cache

import pytest
import torch
from torch import Tensor

from paretoib.objectives._vib import squared as in_square_bits
from paretoib.weighting._linear import Linear

INPUTS, CLASSES, STARTS, STEPS = 8, 4, 6, 800
LABELS = torch.eye(CLASSES, dtype=torch.float64).repeat_interleave(INPUTS // CLASSES, dim=0)
LINEAR = (0.2, 0.5, 0.9, 0.95, 1.05, 1.1, 2.0, 5.0)
SQUARED = (0.1, 0.2, 0.26, 0.3, 0.4, 0.5, 0.8, 1.0, 2.0, 5.0)


def information(joint: Tensor) -> Tensor:
    """I(A;B) in bits of joint tables (…, a, b), by enumeration."""
    independent = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return (torch.xlogy(joint, joint) - torch.xlogy(joint, independent)).sum((-2, -1)) / math.log(2)


def plane(logits: Tensor) -> tuple[Tensor, Tensor]:
    """I(X;Z) and I(Y;Z) in bits of softmax codes p(z|x) with logits (M, x, z), for uniform X."""
    code = logits.softmax(-1) / INPUTS
    return information(code), information(LABELS.T @ code)


@cache
def optima(betas: Sequence[float], *, squared: bool) -> list[tuple[float, float]]:
    """(rate, lost bits) of the best of several random starts, for each β.

    The functional is lost + β rate or lost + β rate², computed with `squared` and `Linear` of
    paretoib.
    """
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(
        len(betas) * STARTS, INPUTS, INPUTS, generator=generator, dtype=torch.float64
    ).requires_grad_()
    beta = torch.tensor(betas, dtype=torch.float64).repeat_interleave(STARTS)
    adam = torch.optim.Adam([logits], lr=0.5)
    for _ in range(STEPS):
        rate, relevance = plane(logits)
        lost, nats = (2 - relevance) * math.log(2), rate * math.log(2)
        losses = torch.stack([lost, in_square_bits(nats) if squared else nats], dim=1)
        values = (Linear()(losses.detach(), None, {"beta": beta}).step * losses).sum(1)
        adam.zero_grad()
        values.sum().backward()
        adam.step()
    best = values.detach().view(-1, STARTS).argmin(1) + STARTS * torch.arange(len(betas))
    rate, relevance = plane(logits.detach()[best])
    return list(zip(rate.tolist(), (2 - relevance).tolist(), strict=True))


@pytest.mark.parametrize("beta", LINEAR)
def test_linear_scalarisation_finds_the_corner_or_the_origin(beta: float) -> None:
    """(rate, lost) is (2, 0) bits for β < 1 and (0, 2) bits for β > 1, never in between."""
    expected = (2, 0) if beta < 1 else (0, 2)
    optimum = optima(LINEAR, squared=False)[LINEAR.index(beta)]
    assert optimum == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("beta", SQUARED)
def test_the_squared_functional_reaches_every_point_of_the_slope(beta: float) -> None:
    """β (per bit²) selects the point of the curve at rate min(1/(2β), H(Y)), to three digits."""
    rate, lost = optima(SQUARED, squared=True)[SQUARED.index(beta)]
    expected = min(1 / (2 * beta), 2)
    assert rate == pytest.approx(expected, rel=5e-4)
    assert lost == pytest.approx(2 - expected, abs=1e-3)
