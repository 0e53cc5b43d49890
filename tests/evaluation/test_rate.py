"""Bounds on the rate, against known mutual information."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch import Tensor

from paretoib.distributions import GaussianEncoding, standard_normal_log_prob
from paretoib.evaluation import GaussianMarginal, RateBounds, rate_bounds

# p(z|x) of five equally likely inputs, in one dimension.
MEANS = np.array([-3.0, -1.0, 0.0, 0.4, 2.5])
STDS = np.array([0.4, 0.2, 1.0, 0.3, 0.6])


def mixture_rate() -> float:
    """I(X;Z) = h(Z) − h(Z|X) of the five inputs in nats, by quadrature of h(Z)."""

    def minus_p_log_p(z: float) -> float:
        p = float(norm.pdf(z, MEANS, STDS).mean())
        return -p * math.log(p) if p > 0 else 0.0

    entropy, _ = quad(minus_p_log_p, -12, 12, limit=500, points=[-3, -1, 0, 0.4, 2.5])
    return float(entropy - norm.entropy(MEANS, STDS).mean())


def mixture(count: int, seed: int) -> GaussianEncoding:
    """p(z|x) of `count` inputs that are drawn at random from the five inputs."""
    drawn = torch.randint(5, (count,), generator=torch.Generator().manual_seed(seed))
    return GaussianEncoding(
        torch.from_numpy(MEANS)[drawn, None], torch.from_numpy(STDS)[drawn, None]
    )


def gaussian(count: int, latent: int, std: float, seed: int) -> GaussianEncoding:
    """Means x ~ N(0, I) with noise `std`: I(X;Z) = (K/2) log(1 + 1/std²)."""
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(count, latent, generator=generator)
    return GaussianEncoding(mean, torch.full_like(mean, std))


def sample(encoding: GaussianEncoding, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(1000 + seed)
    return encoding.sample(torch.randn(encoding.mean.shape, generator=generator).to(encoding.mean))


def bounds(encoding: GaussianEncoding, z: Tensor, marginals: Sequence[Tensor] = ()) -> RateBounds:
    return rate_bounds(encoding, z, marginals)


def test_a_long_monte_carlo_run_agrees_with_the_quadrature() -> None:
    """Monte Carlo agrees with the quadrature, which the next tests use as the true rate."""
    drawn = np.random.default_rng(0).integers(5, size=500_000)
    z = np.random.default_rng(1).normal(MEANS[drawn], STDS[drawn])
    log_ratio = norm.logpdf(z, MEANS[drawn], STDS[drawn]) - np.log(
        norm.pdf(z[:, None], MEANS, STDS).mean(1)
    )
    error = log_ratio.std() / math.sqrt(len(z))
    assert mixture_rate() == pytest.approx(log_ratio.mean(), abs=4 * error)
    assert 0.5 < mixture_rate() < math.log(5)


@pytest.mark.parametrize("count", [32, 500])
def test_bounds_enclose_the_true_rate(count: int) -> None:
    """I(X;Z) is between the mean lower and the mean upper bound over many draws.

    The mean gap between the bounds is below 8/N for N inputs.
    """
    repeats = 200 if count < 100 else 20
    results = []
    for seed in range(repeats):
        encoding = mixture(count, seed)
        results.append(bounds(encoding, sample(encoding, seed)))
    lower, upper, stated = (
        torch.stack([getattr(b, name) for b in results]) for name in ("lower", "upper", "error")
    )
    truth, error = mixture_rate(), float(stated.mean()) / math.sqrt(repeats)
    assert lower.mean() < truth + 3 * error
    assert upper.mean() > truth - 3 * error
    assert float((upper - lower).mean()) < 8 / count
    assert (lower <= upper).all()


@pytest.mark.parametrize("count", [2, 50])
def test_the_lower_bound_saturates_at_log_n(count: int) -> None:
    """If the p(z|x) of N inputs do not overlap, the lower bound is log N for any rate."""
    encoding = GaussianEncoding(
        torch.arange(count).double()[:, None], torch.full((count, 1), 1e-4).double()
    )
    result = bounds(encoding, sample(encoding, 0))
    assert float(result.lower) == pytest.approx(math.log(count))
    assert result.upper > 1e6


def test_for_complete_inputs_both_bounds_are_the_rate() -> None:
    """If the inputs are complete, both bounds are the rate.

    The inputs are first the five inputs in equal numbers, and then 32 that do not overlap.
    """
    index = torch.arange(5).repeat(400)
    encoding = GaussianEncoding(
        torch.from_numpy(MEANS)[index, None], torch.from_numpy(STDS)[index, None]
    )
    result = rate_bounds(encoding, sample(encoding, 0), [], complete=True)
    assert result.lower == result.upper
    assert abs(float(result.upper) - mixture_rate()) < 4 * float(result.error) < 0.1
    apart = GaussianEncoding(torch.arange(32.0)[:, None], torch.full((32, 1), 1e-3))
    z = sample(apart, 1)
    assert rate_bounds(apart, z, []).upper > 1000
    exact = rate_bounds(apart, z, [standard_normal_log_prob(z, torch.ones(()))], complete=True)
    assert float(exact.lower) == pytest.approx(math.log(32))
    assert float(exact.upper) == pytest.approx(math.log(32))


def test_a_fitted_marginal_gives_the_upper_bound_of_inputs_that_do_not_overlap() -> None:
    """The bound from a fitted Gaussian is tight, because the true marginal is Gaussian.

    The leave-one-out mixture gives a far larger bound. The smallest bound is used, with its
    standard error.
    """
    truth = 8 * math.log(1 + 1 / 0.2**2)
    train, test = gaussian(20_000, 16, 0.2, 1), gaussian(1000, 16, 0.2, 2)
    z = sample(test, 2)
    fitted = GaussianMarginal.fit(sample(train, 1)).log_prob(z)
    loose, tight = bounds(test, z), bounds(test, z, [fitted])
    assert loose.upper > 2 * truth
    assert float(tight.upper) == pytest.approx(truth, abs=4 * float(tight.error))
    assert tight.error < 0.02 * truth
    assert tight.lower <= math.log(1000) + 1e-9


@pytest.mark.parametrize("std", [0.1, 1.0, 5.0])
def test_the_fitted_gaussian_is_tight_if_the_marginal_is_gaussian(std: float) -> None:
    """If the marginal is Gaussian, E[log p(z|x) − log q(z)] with a fitted q is I(X;Z).

    The two agree within four standard errors.
    """
    train, test = gaussian(20_000, 3, std, 3), gaussian(2000, 3, std, 4)
    z = sample(test, 4)
    fitted = GaussianMarginal.fit(sample(train, 3)).log_prob(z)
    ratios = test.log_prob(z) - fitted
    error = float(ratios.std()) / math.sqrt(len(z))
    assert float(ratios.mean()) == pytest.approx(1.5 * math.log(1 + 1 / std**2), abs=4 * error)


def test_more_densities_never_raise_the_upper_bound() -> None:
    """Every density, even a poor one, gives an upper bound; the smallest bound is used."""
    encoding = mixture(1000, 7)
    z = sample(encoding, 7)
    own = encoding.log_prob(z)
    generator = torch.Generator().manual_seed(8)
    marginals = [
        GaussianMarginal(
            3 * torch.randn(1, generator=generator).double(),
            torch.randn(1, 1, generator=generator).double().exp(),
        ).log_prob(z)
        for _ in range(10)
    ]
    error = float(own.std()) / math.sqrt(len(z))
    assert all(float((own - q).mean()) > mixture_rate() - 3 * error for q in marginals)
    uppers = [float(bounds(encoding, z, marginals[:n]).upper) for n in range(len(marginals) + 1)]
    assert uppers == sorted(uppers, reverse=True)
    assert uppers[-1] > mixture_rate() - 3 * error


def test_a_latent_that_ignores_the_input_has_no_rate() -> None:
    """If p(z|x) is the same for all x, both bounds are 0 within rounding, and not negative."""
    encoding = GaussianEncoding(torch.zeros(500, 4), torch.full((500, 4), 0.3))
    z = sample(encoding, 9)
    result = bounds(encoding, z, [standard_normal_log_prob(z)])
    assert 0 <= result.lower <= result.upper < 1e-6


def test_bounds_are_never_negative() -> None:
    """The bounds satisfy 0 ≤ lower ≤ upper, although a Monte Carlo mean can be negative."""
    raw, results = [], []
    for seed in range(50):
        encoding = gaussian(20, 2, 50.0, seed)
        z = sample(encoding, seed)
        raw.append(float((encoding.log_prob(z) - standard_normal_log_prob(z, 50.0)).mean()))
        results.append(bounds(encoding, z, [standard_normal_log_prob(z, 50.0)]))
    assert min(raw) < 0
    assert all(0 <= b.lower <= b.upper for b in results)


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("std", [0.5, 2.0])
def test_two_standard_errors_cover_95_percent(fitted: bool, std: float) -> None:
    """About 95 % of 400 upper bounds are within two standard errors of their mean."""
    marginal = GaussianMarginal(
        torch.zeros(2).double(), math.sqrt(1 + std**2) * torch.eye(2).double()
    )

    def draw(mean: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        encoding = GaussianEncoding(mean, torch.full_like(mean, std))
        z = encoding.sample(noise)
        result = bounds(encoding, z, [marginal.log_prob(z)] if fitted else [])
        return result.upper, result.error

    means, noises = torch.randn(2, 400, 100, 2, generator=torch.Generator().manual_seed(12))
    upper, error = torch.func.vmap(draw)(means, noises)
    covered = ((upper - upper.mean()).abs() <= 2 * error).double().mean()
    assert 0.91 < float(covered) < 0.985


def test_vmap_over_models_equals_a_loop() -> None:
    """Under `vmap`, each model has the same bounds, error and fitted marginal as alone."""
    generator = torch.Generator().manual_seed(10)
    mean, noise = torch.randn(2, 4, 60, 3, generator=generator)
    std = torch.rand(4, 60, 3, generator=generator) + 0.1

    def measure(mean: Tensor, std: Tensor, noise: Tensor) -> tuple[Tensor, ...]:
        encoding = GaussianEncoding(mean, std)
        z = encoding.sample(noise)
        q = GaussianMarginal.fit(z)
        result = bounds(encoding, z, [q.log_prob(z), standard_normal_log_prob(z)])
        return result.lower, result.upper, result.error, q.mean, q.factor

    together = torch.func.vmap(measure)(mean, std, noise)
    for i in range(4):
        alone = measure(mean[i], std[i], noise[i])
        torch.testing.assert_close(tuple(t[i] for t in together), alone)


def test_the_fitted_gaussian_has_the_samples_moments() -> None:
    """The fitted Gaussian has the mean and the covariance (divisor N − 1) of the sample.

    One dimension may be a linear function of another.
    """
    z = torch.randn(500, 3, generator=torch.Generator().manual_seed(11)).double()
    z[:, 1] = 0.7 * z[:, 0] + 2
    fitted = GaussianMarginal.fit(z)
    covariance = torch.from_numpy(np.cov(z.T.numpy()))
    torch.testing.assert_close(fitted.mean, z.mean(0))
    torch.testing.assert_close(fitted.factor @ fitted.factor.T, covariance, rtol=1e-5, atol=1e-5)
    exact = torch.distributions.MultivariateNormal(fitted.mean, scale_tril=fitted.factor)
    torch.testing.assert_close(fitted.log_prob(z), exact.log_prob(z))
    assert fitted.log_prob(z).isfinite().all()
