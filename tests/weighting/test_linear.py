"""The IB Lagrangian."""

from collections.abc import Callable
from typing import Any

import torch

from paretoib.weighting._linear import Linear


def test_linear_weighs_compression_by_beta() -> None:
    """Each trial's weights are 1 on prediction and its own β on every other loss."""
    beta = torch.tensor([0.0, 0.5, 3.0])
    step = Linear()(torch.rand(3, 3), None, {"beta": beta}).step
    assert step.tolist() == [[1, 0, 0], [1, 0.5, 0.5], [1, 3, 3]]


def test_none_takes_the_only_loss_as_it_is(weighting: Callable[..., Any]) -> None:
    """Weight 1, whatever the loss."""
    found = weighting("none")(torch.tensor([[3.0], [torch.nan]]), torch.ones(2, 1, 4))
    assert found.step.tolist() == [[1], [1]]
