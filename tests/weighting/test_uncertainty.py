"""Learned and fixed weights of tasks (mtvib eqs 9 and 14)."""

from typing import Any

import pytest
import torch
from torch import Tensor

from paretoib.weighting._linear import Linear, TaskWeights
from paretoib.weighting._uncertainty import Uncertainty
from paretoib.weighting._weighting import Weighting

BETA = torch.tensor([0.0, 0.3])
LOSSES = torch.tensor([[0.2, 1.7, 5.0], [3.0, 0.4, 8.0]])


def build(kind: type[Weighting], tasks: int = 2) -> Weighting:
    weighting = kind()
    weighting.prediction_count = tasks
    return weighting


def total_loss(weighting: Weighting, losses: Tensor, hyper: dict[str, Any]) -> Tensor:
    """The total loss of each trial: the weighted sum of its losses, plus the penalty."""
    weights = weighting(losses, None, hyper)
    assert weights.penalty is not None
    return (weights.step * losses).sum(1) + weights.penalty


def test_the_total_loss_is_the_loss_of_mtvib() -> None:
    """The total loss is Σ_k [CE_k/σ_k² + log σ_k] + β · compression (mtvib eq. 14)."""
    sigma = torch.tensor([[0.5, 2.0], [1.5, 0.7]])
    hyper = {"beta": BETA, "log_variance": sigma.square().log()}
    expected = (LOSSES[:, :2] / sigma**2 + sigma.log()).sum(1) + BETA * LOSSES[:, 2]
    torch.testing.assert_close(total_loss(build(Uncertainty), LOSSES, hyper), expected)


@pytest.mark.parametrize("tasks", [1, 2])
def test_the_optimal_variance_is_twice_the_loss(tasks: int) -> None:
    """Descent converges to s_k = log σ_k² = log(2 L_k).

    There the derivative ½ − L_k exp(−s_k) of the total loss is zero.
    """
    losses = LOSSES[:, 2 - tasks :]
    optimum = (2 * losses[:, :tasks]).log()
    weighting = build(Uncertainty, tasks)
    start = weighting.parameters()["log_variance"]
    assert torch.equal(start, torch.zeros(tasks))
    s = start.repeat(2, 1).requires_grad_()
    optimiser = torch.optim.Adam([s], lr=0.05)
    for _ in range(1500):
        optimiser.zero_grad()
        total_loss(weighting, losses, {"beta": BETA, "log_variance": s}).sum().backward()
        optimiser.step()
    torch.testing.assert_close(s.detach(), optimum, rtol=1e-3, atol=1e-3)


def test_logged_weights_are_detached() -> None:
    """The logged weights equal the weights, but are detached from the autograd graph."""
    s = torch.zeros(2, 2).requires_grad_()
    weights = build(Uncertainty)(LOSSES, None, {"beta": BETA, "log_variance": s})
    assert not weights.log["weight"].requires_grad
    assert torch.equal(weights.log["weight"], weights.step.detach())


def test_fixed_weights_generalise_linear() -> None:
    """`task_weights` gives weight w_k to the prediction loss of task k, and β to compression.

    If all w_k are 1, or none is given, the weights are those of `linear`.
    """
    linear = build(Linear)(LOSSES, None, {"beta": BETA}).step
    for weights in (torch.ones(2, 2), torch.ones(2, 0)):
        hyper = {"beta": BETA, "task_weights": weights}
        assert torch.equal(build(TaskWeights)(LOSSES, None, hyper).step, linear)
    given = torch.tensor([[0.2, 1.8], [1.4, 0.6]])
    weights = build(TaskWeights)(LOSSES, None, {"beta": BETA, "task_weights": given}).step
    assert torch.equal(weights, torch.cat([given, BETA[:, None]], dim=1))


def test_linear_weighs_every_task_by_one() -> None:
    """Weighting `linear` gives weight 1 to every prediction loss and β to compression."""
    weights = build(Linear)(torch.rand(2, 3), None, {"beta": BETA}).step
    torch.testing.assert_close(weights, torch.tensor([[1, 1, 0], [1, 1, 0.3]]))
