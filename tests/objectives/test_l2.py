"""Objective `l2`, whose compression is E‖Z‖², with zero-entropy noise."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from paretoib.distributions import ZERO_ENTROPY_STD, Output, PointEncoding
from paretoib.objectives._l2 import L2
from paretoib.objectives._vib import VIB


def test_compression_is_the_second_moment_of_noisy_codes(
    noisy: Callable[..., Output], draw: Callable[..., Tensor]
) -> None:
    """Compression of `l2` is the mean of ‖Z‖², here over 200 000 samples.

    If all means are 0, compression is K/(2πe) for K dimensions.
    """
    y = torch.zeros(4).long()
    output = noisy(draw(4, 3))
    samples = output.encoding.mean + ZERO_ENTROPY_STD * draw(50_000, 4, 3, seed=1)
    expected = samples.square().sum(-1).mean()
    actual = L2().losses(output, y, {})[1]
    torch.testing.assert_close(actual, expected, rtol=0.01, atol=0)
    nothing = L2().losses(noisy(torch.zeros(4, 3).double()), y, {})[1]
    torch.testing.assert_close(float(nothing), 3 / (2 * math.pi * math.e))


def test_vib_with_zero_entropy_noise_is_half_of_l2_plus_a_constant(
    noisy: Callable[..., Output], draw: Callable[..., Tensor]
) -> None:
    """For H[Z|X] = 0, KL(p(z|x) ‖ N(0, I)) = ½ E‖Z‖² + (K/2) ln(2π) (uib A.7)."""
    output, y = noisy(2 * draw(7, 5)), torch.arange(7) % 3
    kl = VIB().losses(output, y, {"prior_width": torch.tensor(1.0)})[1]
    actual = L2().losses(output, y, {})[1]
    torch.testing.assert_close(actual / 2 + 5 / 2 * math.log(2 * math.pi), kl)


def test_without_noise_l2_is_the_second_moment_of_the_means(
    noisy: Callable[..., Output], draw: Callable[..., Tensor]
) -> None:
    """Without noise, compression of `l2` is E‖ẑ‖², where ẑ is the encoder's output."""
    mean = draw(7, 5)
    output = Output(PointEncoding(mean), mean, noisy(mean).prediction)
    actual = L2().losses(output, torch.zeros(7).long(), {})[1]
    torch.testing.assert_close(actual, mean.square().sum() / 7)
