"""Bounds on H[Z] of the deterministic information bottleneck."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from paretoib.distributions import ZERO_ENTROPY_STD, Output
from paretoib.objectives._dib import DIB
from paretoib.objectives._log_var import LogVar

Draw = Callable[..., Tensor]
Noisy = Callable[..., Output]
Y = torch.zeros(40).long()


def compression(covariance: str, output: Output) -> float:
    objective = DIB(covariance="full" if covariance == "full" else "diagonal")
    return float(objective.losses(output, torch.zeros(len(output.z)).long(), {})[1])


def test_the_full_bound_is_the_entropy_of_a_gaussian(noisy: Noisy, draw: Draw) -> None:
    """The full bound is the entropy of a Gaussian with the covariance of codes plus noise.

    torch computes this entropy.
    """
    mean = draw(40, 3) @ draw(3, 3, seed=1)
    covariance = torch.cov(mean.T, correction=0) + ZERO_ENTROPY_STD**2 * torch.eye(3)
    exact = MultivariateNormal(torch.zeros(3).double(), covariance).entropy()
    assert compression("full", noisy(mean)) == pytest.approx(float(exact))


def test_the_diagonal_bound_is_log_var(noisy: Noisy, draw: Draw) -> None:
    """With the diagonal bound, `dib` has the losses of `log_var`, also for correlated codes."""
    output = noisy(draw(40, 3) @ draw(3, 3, seed=1))
    expected = LogVar().losses(output, Y, {})
    assert DIB(covariance="diagonal").losses(output, Y, {}) == expected


def test_the_full_bound_is_not_above_the_diagonal_bound(noisy: Noisy, draw: Draw) -> None:
    """0 ≤ full bound ≤ diagonal bound, and they are equal for uncorrelated codes (uib A.6)."""
    for seed in range(10):
        output = noisy(draw(40, 3, seed=seed) @ draw(3, 3, seed=seed + 50))
        assert 0 <= compression("full", output) <= compression("diagonal", output)
    plain = draw(40, 3)
    centred = torch.linalg.qr(plain - plain.mean(0)).Q * torch.tensor([1.0, 5.0, 20.0])
    output = noisy(centred)
    assert compression("full", output) == pytest.approx(compression("diagonal", output))


def test_a_copied_dimension_adds_half_ln_2_to_the_full_bound(noisy: Noisy, draw: Draw) -> None:
    """A copy of a dimension adds ½ ln 2 to the full bound and doubles the diagonal bound.

    The increase by ½ ln 2 is the limit for codes much larger than the noise.
    """
    mean = 100 * draw(40, 1)
    once, twice = noisy(mean), noisy(mean.expand(-1, 2).contiguous())
    assert compression("diagonal", twice) == pytest.approx(2 * compression("diagonal", once))
    increase = compression("full", twice) - compression("full", once)
    assert increase == pytest.approx(0.5 * torch.tensor(2.0).log().item(), abs=1e-3)


@pytest.mark.parametrize(
    ("examples", "full", "diagonal"), [(16, 31.3, 2.9), (32, 15.3, 1.3), (128, 3.0, 0.35)]
)
def test_small_batches_give_values_below_the_entropy(
    noisy: Noisy, draw: Draw, examples: int, full: float, diagonal: float
) -> None:
    """For ẑ from N(0, I) with 32 dimensions, the values are too small as the docstring says."""
    entropy = 16 * math.log2(2 * math.pi * math.e * (1 + ZERO_ENTROPY_STD**2))
    for covariance, expected in (("full", full), ("diagonal", diagonal)):
        values = [
            compression(covariance, noisy(draw(examples, 32, seed=seed))) for seed in range(60)
        ]
        mean = sum(values) / len(values) / math.log(2)
        assert entropy - mean == pytest.approx(expected, abs=0.4)


def test_more_dimensions_than_examples_give_finite_values(noisy: Noisy, draw: Draw) -> None:
    """With more dimensions than examples, the loss and its gradient are finite.

    The noise keeps the covariance invertible.
    """
    mean = draw(40, 64).float().requires_grad_()
    loss = DIB(covariance="full").losses(noisy(mean), Y, {})[1]
    (gradient,) = torch.autograd.grad(loss, mean)
    assert loss.isfinite()
    assert gradient.isfinite().all()
