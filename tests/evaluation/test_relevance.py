"""The relevance bound, against channels with known information."""

import math

import pytest
import torch

from paretoib.distributions import CategoricalPrediction, GaussianPrediction
from paretoib.evaluation import relevance_bound, relevance_error


@pytest.mark.parametrize("flip", [0.01, 0.11, 0.4])
def test_the_exact_decoder_of_a_binary_channel_gives_its_information(flip: float) -> None:
    """For flip probability δ, the exact decoder gives log 2 − h(δ), within four standard errors.

    h is the binary entropy. Other decoders give a smaller bound.
    """
    count = 50_000
    y = torch.arange(count) % 2
    flipped = torch.rand(count, generator=torch.Generator().manual_seed(1)) < flip
    z = y ^ flipped.long()

    def bound(confidence: float) -> tuple[float, float]:
        logits = math.log(confidence / (1 - confidence)) * torch.nn.functional.one_hot(z, 2)
        nll = CategoricalPrediction(logits.double()).nll(y)
        value = relevance_bound(nll[None], math.log(2), math.log(2))
        error = relevance_error(nll[None])
        return float(value), float(error)

    truth = math.log(2) + flip * math.log(flip) + (1 - flip) * math.log(1 - flip)
    value, error = bound(1 - flip)
    assert value == pytest.approx(truth, abs=4 * error)
    assert bound(0.999)[0] < value
    assert bound(0.6 if flip < 0.4 else 0.7)[0] < value


@pytest.mark.parametrize("rho", [0.3, 0.9])
def test_the_exact_decoder_of_a_gaussian_channel_gives_its_information(rho: float) -> None:
    """For q(y|z) = N(ρz, 1 − ρ²) the bound is −½ log(1 − ρ²), within four standard errors."""
    z, noise = torch.randn(2, 50_000, 1, generator=torch.Generator().manual_seed(2)).double()
    y = rho * z + math.sqrt(1 - rho**2) * noise
    whitening = torch.full((1, 1), 1 / math.sqrt(1 - rho**2)).double()
    nll = GaussianPrediction(rho * z, whitening).nll(y)
    entropy = 0.5 * math.log(2 * math.pi * math.e)
    value, error = relevance_bound(nll[None], entropy, 10.0), relevance_error(nll[None])
    assert float(value) == pytest.approx(-0.5 * math.log(1 - rho**2), abs=4 * float(error))


def test_the_bound_lies_between_zero_and_the_ceiling() -> None:
    """The bound is 0 for a decoder worse than chance, and never above the ceiling."""
    nll = torch.tensor([[2.0, 3.0], [0.5, 0.7], [-4.0, -2.0]])
    value = relevance_bound(nll, 1.0, 0.9)
    assert value.tolist() == [0.0, pytest.approx(0.4), pytest.approx(0.9)]


def test_two_standard_errors_cover_95_percent() -> None:
    """About 95 % of 500 bounds are within two standard errors of the true value."""
    nll = torch.distributions.Exponential(2.0)
    torch.manual_seed(3)
    drawn = nll.sample(torch.Size((500, 200)))
    value, error = relevance_bound(drawn, 2.0, 2.0), relevance_error(drawn)
    covered = ((value - 1.5).abs() <= 2 * error).double().mean()
    assert 0.92 < float(covered) < 0.98
