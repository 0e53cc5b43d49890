"""`vib`, the variational information bottleneck, and `vib_squared`."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from paretoib.distributions import GaussianEncoding, GaussianPrediction, Output, PointEncoding
from paretoib.objectives._objective import Objective
from paretoib.objectives._vib import VIB, VIBSquared

EXAMPLES, LATENT, CLASSES = 7, 4, 3

Draw = Callable[..., Tensor]


@pytest.fixture
def output(noisy: Callable[..., Output], draw: Draw) -> Output:
    """Random p(z|x) and q(y|z), in double precision."""
    return noisy(draw(EXAMPLES, LATENT, seed=1), draw(EXAMPLES, LATENT, seed=2).exp())


@pytest.fixture
def y() -> Tensor:
    """A class for each example."""
    return torch.arange(EXAMPLES) % CLASSES


@pytest.mark.parametrize("width", [0.3, 1.0, 20.0])
def test_compression_of_vib_is_the_kl_from_the_prior(
    output: Output, y: Tensor, width: float
) -> None:
    """Compression is the batch mean of torch's KL(p(z|x) ‖ N(0, σ²I)), in nats."""
    _, compression = VIB().losses(output, y, {"prior_width": torch.tensor(width)})
    posterior = Independent(Normal(output.gaussian.mean, output.gaussian.std), 1)
    prior = Independent(Normal(torch.zeros(LATENT).double(), width), 1)
    assert float(compression) == pytest.approx(float(kl_divergence(posterior, prior).mean()))


def test_compression_vanishes_at_the_prior(output: Output, y: Tensor) -> None:
    """Compression is 0 for an encoder whose p(z|x) is the prior for every x."""
    prior = GaussianEncoding(torch.zeros(EXAMPLES, LATENT), torch.full((EXAMPLES, LATENT), 2.0))
    output_of_prior = Output(prior, prior.mean, output.prediction)
    _, compression = VIB().losses(output_of_prior, y, {"prior_width": torch.tensor(2.0)})
    assert float(compression) == pytest.approx(0, abs=1e-6)


def test_vib_squared_is_the_square_of_vib_in_bits(output: Output, y: Tensor) -> None:
    """Compression of `vib_squared` is ln 2 · (E KL / ln 2)²: the square of the mean."""
    hyper = {"prior_width": torch.tensor(0.7)}
    prediction, compression = VIB().losses(output, y, hyper)
    same, squared = VIBSquared().losses(output, y, hyper)
    assert float(squared) == pytest.approx(float(compression) ** 2 / math.log(2))
    assert float(same) == float(prediction)


def test_an_encoder_without_noise_has_no_kl(output: Output, y: Tensor) -> None:
    """`vib` raises a TypeError for an encoder without noise, whose KL would be infinite."""
    noiseless = Output(PointEncoding(output.z), output.z, output.prediction)
    with pytest.raises(TypeError, match="needs a Gaussian encoding"):
        VIB().losses(noiseless, y, {"prior_width": torch.tensor(1.0)})


def optimum(objective: Objective, y: Tensor, beta: float, width: float) -> tuple[Tensor, Tensor]:
    """(mean, std) of p(z|y) that minimise prediction + β · compression for q(y|z) = N(z, 1).

    `width` is the width of the prior. The noise is ±1, which gives the exact expectation of a
    quadratic.
    """
    signs = torch.cat([torch.ones_like(y), -torch.ones_like(y)])
    mean = torch.zeros_like(y).requires_grad_()
    log_std = torch.zeros_like(y).requires_grad_()
    lbfgs = torch.optim.LBFGS([mean, log_std], max_iter=500, line_search_fn="strong_wolfe")
    hyper = {"prior_width": torch.tensor(width).double()}

    def closure() -> Tensor:
        lbfgs.zero_grad()
        encoding = GaussianEncoding(mean.repeat(2, 1), log_std.exp().repeat(2, 1))
        z = encoding.sample(signs)
        output = Output(encoding, z, GaussianPrediction(z, torch.eye(1).double()))
        prediction, compression = objective.losses(output, y.repeat(2, 1), hyper)
        loss = prediction + beta * compression
        loss.backward()
        return loss

    lbfgs.step(closure)
    return mean.detach(), log_std.detach().exp()


def closed_form(y: Tensor, beta: float, width: float) -> tuple[Tensor, Tensor]:
    """(mean, std) at the minimum of ½ (y − m)² + ½ s² + β KL(N(m, s²) ‖ N(0, σ²))."""
    shrunk = 1 + beta / width**2
    return y / shrunk, torch.full_like(y, math.sqrt(beta / shrunk))


@pytest.mark.parametrize("width", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("beta", [1e-4, 0.3, 1.0, 1e4])
def test_the_optimum_of_vib_for_a_gaussian_channel(draw: Draw, beta: float, width: float) -> None:
    """The optimum of `vib` is m = y/(1 + β/σ²) and s² = β/(1 + β/σ²).

    So m → y for β → 0, and s → σ for β → ∞.
    """
    y = draw(5, 1)
    mean, std = optimum(VIB(), y, beta, width)
    expected = closed_form(y, beta, width)
    torch.testing.assert_close((mean, std), expected, rtol=1e-3, atol=1e-3)
    if beta == 1e-4:
        torch.testing.assert_close(expected[0], y, rtol=1e-3, atol=0)
    if beta == 1e4:
        torch.testing.assert_close(expected[1], torch.full_like(y, width), rtol=1e-3, atol=0)


@pytest.mark.parametrize("beta", [0.01, 0.1, 1.0])
def test_vib_squared_is_vib_at_a_beta_that_grows_with_the_rate(draw: Draw, beta: float) -> None:
    """The optimum of `vib_squared` at β is the optimum of `vib` at β′ = 2 β I.

    I is the KL at the optimum in bits.
    """
    y = draw(5, 1)
    mean, std = optimum(VIBSquared(), y, beta, 1.0)
    kl = kl_divergence(Normal(mean, std), Normal(0.0, 1.0)).mean()
    equivalent_beta = 2 * beta * float(kl) / math.log(2)
    torch.testing.assert_close(
        (mean, std), closed_form(y, equivalent_beta, 1.0), rtol=1e-3, atol=1e-3
    )
