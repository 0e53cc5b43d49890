"""Random weights, against torchjd's and their distribution."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torchjd.aggregation import RandomWeighting

Build = Callable[..., Any]


@pytest.mark.parametrize("losses", [2, 3])
def test_the_weights_are_those_of_torchjd_for_the_same_numbers(
    remembering: Build, losses: int
) -> None:
    """The weights are softmax(ε): those of torchjd if it draws the same normal numbers ε."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        expected = torch.stack([RandomWeighting()(torch.ones(losses, 1)) for _ in range(1000)])
        torch.manual_seed(0)
        noise = torch.stack([torch.randn(losses) for _ in range(1000)])
    weighting = remembering("random", 1000, losses)
    weighting.hyper["noise"] = noise
    torch.testing.assert_close(weighting.weights(torch.ones(1000, losses)), expected)


def test_a_step_needs_one_number_for_each_loss(remembering: Build) -> None:
    """`noise` is the number of losses; other weightings need no random numbers."""
    assert remembering("random", 1, 3).built.noise == 3
    assert remembering("dwa", 1, 3).built.noise == 0
