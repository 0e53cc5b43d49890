"""The log-variance bounds on H[Z] and H[Z|Y]."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from paretoib.distributions import (
    ZERO_ENTROPY_STD,
    GaussianPrediction,
    Output,
    PointEncoding,
)
from paretoib.errors import SpecError
from paretoib.objectives._log_var import LogVar, LogVarGivenY

Draw = Callable[..., Tensor]
Noisy = Callable[..., Output]
Y = torch.tensor([0, 1, 0, 2, 1, 0, 0])


def compression(objective: LogVar, output: Output, y: Tensor = Y) -> float:
    return float(objective.losses(output, y, {})[1])


def without_noise(mean: Tensor, like: Output) -> Output:
    return Output(PointEncoding(mean), mean, like.prediction)


def test_the_noise_has_zero_entropy() -> None:
    """The noise is ε ~ N(0, 1/(2πe)), whose entropy is 0."""
    assert float(Normal(0, ZERO_ENTROPY_STD).entropy()) == pytest.approx(0, abs=1e-6)
    assert 2 * math.pi * math.e * ZERO_ENTROPY_STD**2 == pytest.approx(1)


def test_compression_is_the_entropy_of_gaussian_codes(noisy: Noisy, draw: Draw) -> None:
    """Compression is Σ_i ½ ln(2πe (v_i + 1/(2πe))) for independent dimensions of variance v_i."""
    spreads = torch.tensor([0.1, 1.0, 5.0], dtype=torch.float64)
    mean = draw(50_000, 3) * spreads
    exact = Normal(0, (spreads**2 + ZERO_ENTROPY_STD**2).sqrt()).entropy().sum()
    actual = compression(LogVar(), noisy(mean), torch.zeros(50_000).long())
    assert actual == pytest.approx(float(exact), abs=0.02)


def test_given_y_compression_is_the_mean_over_classes(noisy: Noisy, draw: Draw) -> None:
    """Compression of `log_var_given_y` is the mean of the bounds of the classes.

    Each class is weighted by its frequency. numpy computes the variance of each class here.
    """
    mean = draw(7, 4)
    entropies = []
    for label in Y.tolist():
        codes = mean[Y.eq(label)].numpy()
        variance = codes.var(axis=0) + 1 / (2 * np.pi * np.e)
        entropies.append((np.log(2 * np.pi * np.e * variance) / 2).sum())
    actual = compression(LogVarGivenY(), noisy(mean))
    assert actual == pytest.approx(float(np.mean(entropies)))


def test_with_noise_both_bounds_are_at_least_0(noisy: Noisy, draw: Draw) -> None:
    """With noise, 0 ≤ bound on H[Z|Y] ≤ bound on H[Z].

    If codes are constant in each class, the first bound is 0 and the second is positive. If all
    codes are equal, the bound on H[Z] is 0.
    """
    for scale in (1e-6, 1.0, 1e3):
        output = noisy(scale * draw(7, 4))
        assert 0 <= compression(LogVarGivenY(), output) <= compression(LogVar(), output)
    by_class = noisy(draw(3, 4)[Y])
    assert compression(LogVarGivenY(), by_class) == pytest.approx(0, abs=1e-9)
    assert compression(LogVar(), by_class) > 1
    constant = noisy(draw(1, 4).expand(7, -1))
    assert compression(LogVar(), constant) == pytest.approx(0, abs=1e-9)


def test_without_noise_there_is_no_lower_limit(noisy: Noisy, draw: Draw) -> None:
    """Without noise, a factor c for all codes adds ln c per dimension to both bounds (uib 7.2)."""
    mean = draw(7, 4)
    like = noisy(mean)
    for objective in (LogVar(), LogVarGivenY()):
        # A class with one example would have zero variance.
        y = torch.tensor([0, 1, 0, 2, 1, 0, 2])
        large = compression(objective, without_noise(mean, like), y)
        small = compression(objective, without_noise(1e-6 * mean, like), y)
        assert small == pytest.approx(large + 4 * math.log(1e-6))
    assert compression(LogVar(), noisy(1e-6 * mean)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("objective", [LogVar(), LogVarGivenY()])
def test_shifts_and_order_do_not_matter(objective: LogVar, noisy: Noisy, draw: Draw) -> None:
    """Shifting all codes or reordering examples does not change the loss."""
    mean, order = draw(7, 4), torch.tensor([3, 1, 0, 6, 5, 2, 4])
    plain = compression(objective, noisy(mean))
    assert compression(objective, noisy(mean + 50)) == pytest.approx(plain)
    assert compression(objective, noisy(mean[order]), Y[order]) == pytest.approx(plain)


@pytest.mark.parametrize("objective", [LogVar(), LogVarGivenY()])
def test_codes_without_variance_have_finite_gradients(
    objective: LogVar, noisy: Noisy, draw: Draw
) -> None:
    """Loss and gradient are finite if one dimension is constant and has no noise."""
    mean = (draw(7, 4) * torch.tensor([1.0, 1.0, 0.0, 1.0])).requires_grad_()
    loss = objective.losses(without_noise(mean, noisy(mean.detach())), Y, {})[1]
    (gradient,) = torch.autograd.grad(loss, mean)
    assert loss.isfinite()
    assert gradient.isfinite().all()


def test_log_var_given_y_refuses_a_continuous_y(noisy: Noisy, draw: Draw) -> None:
    """`log_var_given_y` refuses a continuous y with an error that names the objective."""
    output = noisy(draw(7, 4))
    continuous = Output(
        output.encoding, output.z, GaussianPrediction(draw(7, 2), torch.eye(2).double())
    )
    with pytest.raises(SpecError, match="log_var_given_y needs classes; found a continuous Y"):
        LogVarGivenY().losses(continuous, draw(7, 2), {})
