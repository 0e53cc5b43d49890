"""DWA, against torchjd's DWA and the printed formula."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torchjd.scalarization import DWA

Build = Callable[..., Any]
TRIALS, EPOCHS, STEPS = 3, 5, 4


@pytest.mark.parametrize("losses", [2, 3])
@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_the_weights_are_those_of_torchjd(
    remembering: Build, losses: int, temperature: float
) -> None:
    """In five epochs of four steps, the weights of each trial are those of torchjd.

    They have the sum m. In the first two epochs they are 1, and then they differ.
    """
    generator = torch.Generator().manual_seed(0)
    shape = (EPOCHS, STEPS, TRIALS, losses)
    values = torch.rand(shape, generator=generator, dtype=torch.float64) + 0.1
    dwa = remembering("dwa", TRIALS, losses, temperature=temperature)
    oracles = [DWA(temperature) for _ in range(TRIALS)]
    for epoch, steps in enumerate(values):
        for batch in steps:
            weights = dwa.weights(batch)
            dwa.step(batch, batch)
            for trial, oracle in enumerate(oracles):
                single = batch[trial].clone().requires_grad_()
                (expected,) = torch.autograd.grad(oracle(single), single)
                torch.testing.assert_close(weights[trial], expected)
        torch.testing.assert_close(weights.sum(1), torch.full((TRIALS,), float(losses)).double())
        assert ((weights - 1).abs().max() > 0.01) == (epoch >= 2)
        dwa.end_epoch()
        for oracle in oracles:
            oracle.step()


def test_the_loss_that_falls_more_slowly_gets_the_larger_weight(remembering: Build) -> None:
    """λ = m softmax(r/T) with r = L(t−1)/L(t−2), computed here with numpy (eq. 7)."""
    means = np.array([[4.0, 4.0], [3.0, 1.0]])
    dwa = remembering("dwa", 1, 2, temperature=0.5)
    for mean in means:
        for offset in (-0.5, 0.5):
            losses = torch.from_numpy(mean + offset).unsqueeze(0)
            dwa.step(losses, losses)
        dwa.end_epoch()
    powers = np.exp(means[1] / means[0] / 0.5)
    expected = torch.from_numpy(2 * powers / powers.sum()).unsqueeze(0)
    torch.testing.assert_close(dwa.weights(torch.ones(1, 2).double()), expected)
    assert expected[0, 0] > expected[0, 1]


def test_a_mean_loss_of_0_has_finite_weights(remembering: Build) -> None:
    """If a mean loss is 0, r_k is limited, and 0/0 counts as 1."""
    dwa = remembering("dwa", 1, 2)
    for mean in (0.0, 0.0, 1.0, 1.0):
        losses = torch.tensor([[mean, 1.0]], dtype=torch.float64)
        dwa.step(losses, losses)
        dwa.end_epoch()
        weights = dwa.weights(losses)
        assert weights.isfinite().all()
        assert float(weights.sum()) == pytest.approx(2)
