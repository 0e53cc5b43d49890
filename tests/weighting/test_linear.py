"""`linear`, the weights of the IB Lagrangian, and `none`."""

from collections.abc import Callable
from typing import Any

import torch

from paretoib.weighting._linear import Linear


def test_linear_weighs_compression_by_beta() -> None:
    """Each trial has weight 1 on prediction and its β on every other loss."""
    beta = torch.tensor([0.0, 0.5, 3.0])
    step = Linear()(torch.rand(3, 3), None, {"beta": beta}).step
    assert step.tolist() == [[1, 0, 0], [1, 0.5, 0.5], [1, 3, 3]]


def test_none_gives_the_only_loss_weight_1(weighting: Callable[..., Any]) -> None:
    """The weight is 1 for any loss, even NaN."""
    weights = weighting("none")(torch.tensor([[3.0], [torch.nan]]), torch.ones(2, 1, 4))
    assert weights.step.tolist() == [[1], [1]]
