"""Optima of scalarisations for labels that are a function of the input.

Kolchinsky, Tracey, Van Kuyk: Caveats for information bottleneck in deterministic scenarios, 2018.
The IB curve is I(Y;Z) = min(I(X;Z), H(Y)). Its slope is the part with rates from 0 to H(Y). All
points of the slope have the same Lagrangian for β = 1; any other β selects an end of the slope.
With the square of the rate (Rodríguez Gálvez et al. 2020), each point of the slope is the optimum
for its own β.
"""

import math
from collections.abc import Sequence
from functools import cache

import pytest
import torch
from torch import Tensor

from paretoib.objectives._vib import squared as squared_rate
from paretoib.weighting._linear import Linear

INPUTS, CLASSES, STARTS, ITERATIONS = 8, 4, 6, 800
LABELS = torch.eye(CLASSES, dtype=torch.float64).repeat_interleave(INPUTS // CLASSES, dim=0)
LINEAR = (0.2, 0.5, 0.9, 0.95, 1.05, 1.1, 2.0, 5.0)
SQUARED = (0.1, 0.2, 0.26, 0.3, 0.4, 0.5, 0.8, 1.0, 2.0, 5.0)


def information(joint: Tensor) -> Tensor:
    """I(A;B) in bits of joint tables (…, a, b), by enumeration."""
    independent = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return (torch.xlogy(joint, joint) - torch.xlogy(joint, independent)).sum((-2, -1)) / math.log(2)


def rate_and_relevance(logits: Tensor) -> tuple[Tensor, Tensor]:
    """I(X;Z) and I(Y;Z) in bits of codes p(z|x) = softmax(logits), for uniform X.

    The logits have shape (M, x, z).
    """
    joint = logits.softmax(-1) / INPUTS
    return information(joint), information(LABELS.T @ joint)


@cache
def optima(betas: Sequence[float], *, use_squared_rate: bool) -> list[tuple[float, float]]:
    """(rate, lost bits) of the best of several random starts, for each β.

    The minimised function is lost + β rate or lost + β rate². `squared` and `Linear` of paretoib
    compute this function.
    """
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(
        len(betas) * STARTS, INPUTS, INPUTS, generator=generator, dtype=torch.float64
    ).requires_grad_()
    beta = torch.tensor(betas, dtype=torch.float64).repeat_interleave(STARTS)
    adam = torch.optim.Adam([logits], lr=0.5)
    for _ in range(ITERATIONS):
        rate, relevance = rate_and_relevance(logits)
        lost_nats, rate_nats = (2 - relevance) * math.log(2), rate * math.log(2)
        losses = torch.stack(
            [lost_nats, squared_rate(rate_nats) if use_squared_rate else rate_nats], dim=1
        )
        values = (Linear()(losses.detach(), None, {"beta": beta}).step * losses).sum(1)
        adam.zero_grad()
        values.sum().backward()
        adam.step()
    best = values.detach().view(-1, STARTS).argmin(1) + STARTS * torch.arange(len(betas))
    rate, relevance = rate_and_relevance(logits.detach()[best])
    return list(zip(rate.tolist(), (2 - relevance).tolist(), strict=True))


@pytest.mark.parametrize("beta", LINEAR)
def test_linear_scalarisation_finds_only_the_two_ends_of_the_slope(beta: float) -> None:
    """Linear scalarisation ends at (rate, lost) = (2, 0) bits for β < 1, at (0, 2) for β > 1."""
    expected = (2, 0) if beta < 1 else (0, 2)
    optimum = optima(LINEAR, use_squared_rate=False)[LINEAR.index(beta)]
    assert optimum == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("beta", SQUARED)
def test_the_squared_rate_reaches_inner_points_of_the_slope(beta: float) -> None:
    """With the squared rate, β (in 1/bit) selects the point with rate min(1/(2β), H(Y)).

    The rate is tested to three digits.
    """
    rate, lost = optima(SQUARED, use_squared_rate=True)[SQUARED.index(beta)]
    expected = min(1 / (2 * beta), 2)
    assert rate == pytest.approx(expected, rel=5e-4)
    assert lost == pytest.approx(2 - expected, abs=1e-3)
