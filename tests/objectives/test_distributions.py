"""Log-densities against torch.distributions."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal

from paretoib.distributions import (
    GaussianEncoding,
    GaussianPrediction,
    PointEncoding,
    standard_normal_log_prob,
)


def draw(*shape: int, seed: int = 3) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("spread", [0.1, 1.0, 2.0])
@pytest.mark.parametrize("width", [1e-3, 1.0, 1e3])
def test_all_pairs_have_the_density_of_a_diagonal_normal(spread: float, width: float) -> None:
    """For float32 inputs, log p(z_i|x_j) is exact to 1e-5 nats.

    This holds for small and large widths, and for small and large ratios of widths.
    """
    std = (width * draw(9, 5, seed=4).mul(spread).exp()).float()
    encoding = GaussianEncoding(draw(9, 5).float(), std)
    z = encoding.sample(draw(9, 5, seed=5).float())
    exact = Independent(Normal(encoding.mean.double(), std.double()), 1).log_prob(z[:, None])
    torch.testing.assert_close(encoding.log_prob_pairs(z), exact, rtol=1e-9, atol=1e-5)
    torch.testing.assert_close(encoding.log_prob(z), exact.diagonal().float(), rtol=1e-4, atol=1e-3)


def test_latents_and_inputs_may_differ_in_number() -> None:
    """`log_prob_pairs` of N latents and B inputs is an N × B table."""
    encoding, z = GaussianEncoding(draw(3, 2), draw(3, 2).exp()), draw(5, 2, seed=6)
    expected = Independent(Normal(encoding.mean, encoding.std), 1).log_prob(z[:, None])
    torch.testing.assert_close(encoding.log_prob_pairs(z), expected)


def test_samples_follow_the_density() -> None:
    """Many samples of one input have the mean and width of the encoding."""
    encoding = GaussianEncoding(torch.full((40_000, 1), 3.0), torch.full((40_000, 1), 0.5))
    z = encoding.sample(draw(40_000, 1).float())
    assert float(z.mean()) == pytest.approx(3, abs=0.01)
    assert float(z.std()) == pytest.approx(0.5, abs=0.01)


def test_a_point_encoding_ignores_noise() -> None:
    """A sample of a point encoding is the mean, whatever the noise."""
    mean = draw(4, 2)
    assert torch.equal(PointEncoding(mean).sample(draw(4, 2, seed=7)), mean)


def test_gaussian_prediction_is_a_full_covariance_normal() -> None:
    """For a lower-triangular W, q(y|z) has the density of torch's normal with precision WᵀW."""
    whitening = draw(3, 3).tril(-1) + torch.diag(draw(3).exp())
    mean, y = draw(6, 3, seed=8), draw(6, 3, seed=9)
    exact = MultivariateNormal(mean, precision_matrix=whitening.T @ whitening)
    torch.testing.assert_close(GaussianPrediction(mean, whitening).nll(y), -exact.log_prob(y))


@pytest.mark.parametrize("width", [0.2, 3.0])
def test_the_prior_is_an_isotropic_normal(width: float) -> None:
    """For each row z, log N(z; 0, σ²I) equals the value from torch."""
    z = draw(6, 3)
    expected = Independent(Normal(torch.zeros(3), width), 1).log_prob(z)
    torch.testing.assert_close(standard_normal_log_prob(z, width), expected)
