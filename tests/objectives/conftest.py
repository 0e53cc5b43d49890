"""Random outputs of a model, in double precision."""

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
    """`draw(*shape, seed=0)`: standard normal numbers."""

    def numbers(*shape: int, seed: int = 0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return numbers


@pytest.fixture(scope="session")
def noisy(draw: Draw) -> Callable[..., Output]:
    """`noisy(mean, std)`: p(z|x) with these, a sample of it, and a prediction of three classes.

    The width is that of zero entropy unless one is given.
    """

    def build(mean: Tensor, std: Tensor | float = ZERO_ENTROPY_STD) -> Output:
        encoding = GaussianEncoding(mean, torch.as_tensor(std, dtype=mean.dtype).expand_as(mean))
        z = encoding.sample(draw(*mean.shape, seed=98))
        return Output(encoding, z, CategoricalPrediction(draw(len(mean), 3, seed=99)))

    return build
