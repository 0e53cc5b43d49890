"""MMD² between codes and a Gaussian prior of width σ (vim section 4)."""

import math
from collections.abc import Callable

import pytest
import torch
from scipy.integrate import quad
from scipy.special import exp1
from torch import Tensor

from paretoib.distributions import Output
from paretoib.objectives._vim import VIM, kernel, kernel_mean, mmd_squared
from paretoib.specs import with_overrides
from paretoib.training._run import run_trials

Draw = Callable[..., Tensor]


@pytest.mark.parametrize("width", [0.01, 0.5, 1.0, 4.0, 100.0])
def test_the_kernels_mean_at_the_centre_is_an_exponential_integral(width: float) -> None:
    """In two dimensions the kernel's mean at 0, E 2/(2 + ‖b‖²), is e^(1/σ²) E₁(1/σ²)/σ².

    This is tested over four decades of σ.
    """
    actual = kernel_mean(torch.zeros(1, 2, dtype=torch.float64), width)
    inverse = width**-2
    # For t = 1/σ² > 500, e^t can overflow; use the asymptotic series of e^t E₁(t).
    scaled = (1 - 1 / inverse) / inverse if inverse > 500 else math.exp(inverse) * exp1(inverse)
    assert float(actual) == pytest.approx(inverse * scaled, rel=1e-6)


@pytest.mark.parametrize("width", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("z", [0.0, 0.3, 4.0, 300.0])
def test_the_kernels_mean_is_its_integral_over_the_prior(width: float, z: float) -> None:
    """In one dimension the kernel's mean equals scipy's quadrature.

    This holds for z near the centre and far from it.
    """

    def integrand(standard: float) -> float:
        density = math.exp(-(standard**2) / 2) / math.sqrt(2 * math.pi)
        return density / (1 + (z - width * standard) ** 2)

    expected, _ = quad(integrand, -12, 12, points=[z / width] if z < 12 * width else None)
    actual = kernel_mean(torch.tensor([[z]], dtype=torch.float64), width)
    assert float(actual) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize(("size", "width"), [(2, 0.5), (5, 1.0), (64, 3.0)])
def test_mmd_is_the_estimate_from_many_samples_of_the_prior(
    draw: Draw, size: int, width: float, unbiased: bool
) -> None:
    """MMD² is E k(z, z′) − 2 E k(z, b) + E k(b, b′), here from 4 000 samples b of the prior."""
    z, b = 1.5 * draw(30, size), width * draw(4000, size, seed=1)
    pairs = kernel(z, z)
    within = (pairs.sum() - pairs.trace()) / (30 * 29) if unbiased else pairs.mean()
    prior_pairs = kernel(b, b)
    prior = (prior_pairs.sum() - prior_pairs.trace()) / (4000 * 3999)
    expected = within - 2 * kernel(z, b).mean() + prior
    actual = mmd_squared(z, width, unbiased=unbiased)
    assert float(actual) == pytest.approx(float(expected), abs=0.01)


def test_codes_from_the_prior_have_a_mean_u_statistic_of_0(draw: Draw) -> None:
    """For batches of B = 20 codes from the prior, the mean U-statistic is 0.

    The mean V-statistic is (1 − E k(b, b′))/B.
    """
    batches = 2 * draw(500, 20, 3)
    u = torch.vmap(lambda z: mmd_squared(z, 2.0, unbiased=True))(batches)
    v = torch.vmap(lambda z: mmd_squared(z, 2.0))(batches)
    error = float(u.std()) / math.sqrt(500)
    assert abs(float(u.mean())) < 4 * error
    between = kernel_mean(torch.zeros(1, 3, dtype=torch.float64), math.sqrt(2) * 2.0)
    assert float(v.mean()) == pytest.approx((1 - float(between)) / 20, abs=4 * error)


def test_the_v_statistic_is_never_negative(draw: Draw) -> None:
    """The V-statistic is ≥ 0, and smallest if the prior has the width of the codes."""
    for seed in range(50):
        scale, width = (0.01 * 10 ** (4 * float(torch.rand(1).double())) for _ in range(2))
        assert float(mmd_squared(scale * draw(1 + seed % 7, 3, seed=seed), width)) >= -1e-12
    z = 2 * draw(1000, 3)
    distances = [float(mmd_squared(z, width)) for width in (0.5, 1.0, 2.0, 4.0, 8.0)]
    assert min(distances) == distances[2]
    assert distances[2] < 0.05 * min(distances[1], distances[3])


@pytest.mark.parametrize("statistic", ["v", "u"])
def test_minimising_mmd_fits_the_codes_to_the_prior(
    noisy: Callable[..., Output], draw: Draw, statistic: str
) -> None:
    """Descent shifts and scales a Gaussian sample until it has mean 0 and width σ."""
    objective = VIM(statistic="u" if statistic == "u" else "v")
    hyper = {"prior_width": torch.tensor(1.5, dtype=torch.float64)}
    sample = draw(300, 2)
    sample = (sample - sample.mean(0)) / sample.std(0)
    shift, scale = (torch.tensor(v, dtype=torch.float64).requires_grad_() for v in (2.0, 0.3))
    adam = torch.optim.Adam([shift, scale], lr=0.05)
    for _ in range(150):
        adam.zero_grad()
        codes = noisy(shift + scale * sample, 0.01)
        objective.losses(codes, torch.zeros(300).long(), hyper)[1].backward()
        adam.step()
    assert float(shift.detach()) == pytest.approx(0, abs=0.05)
    assert float(scale.detach()) == pytest.approx(1.5, rel=0.05)


def test_the_option_statistic_selects_v_or_u(noisy: Callable[..., Output], draw: Draw) -> None:
    """`statistic` selects the V- or U-statistic of the sampled codes and the trial's prior."""
    output, y = noisy(draw(9, 3), 0.5), torch.zeros(9).long()
    hyper = {"prior_width": torch.tensor(0.7)}
    v, u = (VIM(statistic=s).losses(output, y, hyper)[1] for s in ("v", "u"))
    torch.testing.assert_close(v, mmd_squared(output.z, 0.7))
    torch.testing.assert_close(u, mmd_squared(output.z, 0.7, unbiased=True))
    assert float(v) > float(u)


def test_both_statistics_are_finite_for_one_code(draw: Draw) -> None:
    """A single code has no pairs: E k(z, z′) is 0 in the U-statistic, 1 in the V-statistic."""
    z = draw(1, 3)
    expected = mmd_squared(z, 1.0) - 1
    torch.testing.assert_close(mmd_squared(z, 1.0, unbiased=True), expected)


def test_a_beta_of_1e_3_trains_as_no_compression() -> None:
    """A grid of β may have 0; from the same initial noise, β = 1e-3 ends where β = 0 does.

    β = 10 does not: the codes are pulled to the prior, and the rate is lower.
    """
    fields = {"hidden": [16], "latent": 4, "epochs": 10, "learning_rate": 0.01}
    spec = with_overrides({"method": "vim"}, fields, {"beta": "0,1e-3,10"})
    betas = spec.grid["weighting.beta"]
    assert betas == (0.0, 1e-3, 10.0)
    records = run_trials([spec.template.with_fields({"beta": b}) for b in betas], device="cpu")
    rates, lost = [], []
    for record in records:
        assert record.test is not None
        assert record.test.rate_bits is not None
        rates.append(record.test.rate_bits)
        lost.append(record.test.lost_bits)
    assert rates[1] == pytest.approx(rates[0], rel=0.02)
    assert lost[1] == pytest.approx(lost[0], abs=0.02)
    assert rates[2] < 0.9 * rates[0]
