"""`linear`, the weights of the IB Lagrangian, and `none`."""

from collections.abc import Callable
from typing import Any

import torch

from paretoib.weighting._linear import Linear


def test_linear_weighs_compression_by_beta() -> None:
    """Prediction has weight 1, and every other loss has the β of its trial as weight."""
    beta = torch.tensor([0.0, 0.5, 3.0])
    weights = Linear()(torch.rand(3, 3), None, {"beta": beta}).step
    assert weights.tolist() == [[1, 0, 0], [1, 0.5, 0.5], [1, 3, 3]]


def test_none_gives_the_only_loss_weight_1(weighting: Callable[..., Any]) -> None:
    """Weighting `none` gives weight 1 to any loss, even NaN."""
    weights = weighting("none")(torch.tensor([[3.0], [torch.nan]]), torch.ones(2, 1, 4))
    assert weights.step.tolist() == [[1], [1]]
