"""Kolchinsky's bound on I(X;Z) (Kolchinsky, Tracey, Wolpert 2019)."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

from paretoib.distributions import GaussianEncoding, Output
from paretoib.objectives._nib import NIB, NIBSquared, kolchinsky_bound

Draw = Callable[..., Tensor]


def encoding(mean: Tensor, std: float) -> GaussianEncoding:
    return GaussianEncoding(mean, torch.full_like(mean, std))


@pytest.mark.parametrize("std", [0.3, 1.0, 3.0])
def test_the_bound_uses_the_kl_of_all_pairs(draw: Draw, std: float) -> None:
    """The bound is −1/N Σ_i log(1/N Σ_j exp(−KL(p_i ‖ p_j))). torch computes the KL here."""
    mean = draw(9, 3)
    encodings = [Independent(Normal(m, std), 1) for m in mean]
    kl = torch.stack([torch.stack([kl_divergence(p, q) for q in encodings]) for p in encodings])
    expected = -(-kl).exp().mean(1).log().mean()
    torch.testing.assert_close(kolchinsky_bound(encoding(mean, std)), expected)


@pytest.mark.parametrize("spread", [0.5, 2.0, 6.0])
def test_the_bound_for_gaussian_codes_has_a_closed_form(draw: Draw, spread: float) -> None:
    """The bound for Gaussian codes tends to ½ ln(1 + v/s²) + ½ v/(v + s²) per dimension.

    This is the limit for many inputs; v is the variance of the means, s² the variance of the noise.
    The first term is I(X;Z); the second is the difference between the bound and I(X;Z).
    """
    actual = kolchinsky_bound(encoding(spread * draw(2500, 1), 1.0))
    ratio = spread**2
    expected = 0.5 * math.log1p(ratio) + 0.5 * ratio / (1 + ratio)
    assert float(actual) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("std", [0.2, 0.5, 1.0])
def test_the_bound_is_above_the_information(draw: Draw, std: float) -> None:
    """The bound is at least I(X;Z), and at most 0.7 nats larger.

    I(X;Z) of 16 equally likely inputs is estimated by Monte Carlo.
    """
    mean = draw(16, 2)
    torch.manual_seed(0)
    encodings = Independent(Normal(mean, std), 1)
    marginal = MixtureSameFamily(Categorical(torch.ones(16).double()), encodings)
    z = encodings.sample((20_000,))
    gains = encodings.log_prob(z) - marginal.log_prob(z)
    information, error = float(gains.mean()), float(gains.std()) / math.sqrt(gains.numel())
    actual = float(kolchinsky_bound(encoding(mean, std)))
    assert information - 4 * error < actual < information + 0.7


def test_distant_codes_have_log_n_and_equal_codes_0(draw: Draw) -> None:
    """The bound is log N for N distant codes, log 2 for two distant groups, 0 for equal codes."""
    far = 1e3 * torch.eye(8, dtype=torch.float64)
    assert float(kolchinsky_bound(encoding(far, 1.0))) == pytest.approx(math.log(8))
    groups = far[:2].repeat_interleave(4, dim=0)
    assert float(kolchinsky_bound(encoding(groups, 1.0))) == pytest.approx(math.log(2))
    same = draw(1, 8).expand(8, -1)
    assert float(kolchinsky_bound(encoding(same, 0.01))) == pytest.approx(0, abs=1e-12)


def test_the_bound_depends_on_distances_divided_by_the_noise(draw: Draw) -> None:
    """A rotation of the codes, or one factor for codes and noise, does not change the bound.

    A shift of all codes changes it only by rounding errors of single precision.
    """
    mean, rotation = draw(20, 4), torch.linalg.qr(draw(4, 4, seed=1)).Q
    plain = kolchinsky_bound(encoding(mean, 0.7))
    torch.testing.assert_close(kolchinsky_bound(encoding(3 * mean @ rotation, 2.1)), plain)
    shifted = encoding((mean + 100).float(), 0.7)
    torch.testing.assert_close(kolchinsky_bound(shifted).double(), plain, rtol=1e-3, atol=1e-3)


def test_nib_squared_is_the_square_of_nib_in_bits(noisy: Callable[..., Output], draw: Draw) -> None:
    """Compression of `nib_squared` is ln 2 · (bound / ln 2)².

    The prediction loss is that of `nib`.
    """
    output, y = noisy(draw(9, 3), 1.0), torch.arange(9) % 3
    prediction, compression = NIB().losses(output, y, {})
    same, squared = NIBSquared().losses(output, y, {})
    assert float(squared) == pytest.approx(float(compression) ** 2 / math.log(2))
    assert float(same) == float(prediction)


@pytest.mark.parametrize("objective", [NIB(), NIBSquared()])
def test_a_bound_near_log_n_is_marked_as_saturated(
    objective: NIB, noisy: Callable[..., Output], draw: Draw
) -> None:
    """For compression, `saturated` is 1 if the bound is at least 95 % of log N, otherwise 0.

    For prediction, `saturated` is NaN.
    """
    y = torch.zeros(16, dtype=torch.long)
    losses = torch.stack(
        [torch.stack(objective.losses(noisy(scale * draw(16, 2), 1.0), y, {})) for scale in (2, 99)]
    )
    exact = NIB().losses(noisy(2 * draw(16, 2), 1.0), y, {})[1]
    assert 0.65 < float(exact) / math.log(16) < 0.9
    saturated = objective.diagnostics(losses, 16)["saturated"]
    assert saturated[:, 1].tolist() == [0, 1]
    assert saturated[:, 0].isnan().all()
