"""Fixtures: random model outputs in double precision."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from paretoib.distributions import (
    ZERO_ENTROPY_STD,
    CategoricalPrediction,
    GaussianEncoding,
    Output,
)

Draw = Callable[..., Tensor]


@pytest.fixture(scope="session")
def draw() -> Draw:
    """`draw(*shape, seed=0)` returns standard normal numbers."""

    def numbers(*shape: int, seed: int = 0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return numbers


@pytest.fixture(scope="session")
def noisy(draw: Draw) -> Callable[..., Output]:
    """`noisy(mean, std)` returns an output with this p(z|x), a sample z and three classes.

    The default `std` is the width of zero-entropy noise.
    """

    def build(mean: Tensor, std: Tensor | float = ZERO_ENTROPY_STD) -> Output:
        encoding = GaussianEncoding(mean, torch.as_tensor(std, dtype=mean.dtype).expand_as(mean))
        z = encoding.sample(draw(*mean.shape, seed=98))
        return Output(encoding, z, CategoricalPrediction(draw(len(mean), 3, seed=99)))

    return build
