"""The published Frank-Wolfe iteration (mib eqs 9–11), against a scalar loop and its limit."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from paretoib.weighting._min_norm import frank_wolfe_weights, min_norm_weights

Draw = Callable[..., Tensor]


def scalar_iterates(gradients: list[list[float]], iterations: int) -> list[float]:
    """mib eqs 9–11 for one trial, computed from the gradients."""
    count = len(gradients)
    w = [1 / count] * count
    for t in range(iterations):
        columns = zip(*gradients, strict=True)
        combined = [sum(a * g for a, g in zip(w, column, strict=True)) for column in columns]
        d = [2 * sum(a * b for a, b in zip(g, combined, strict=True)) for g in gradients]  # eq. 9
        best = min(range(count), key=d.__getitem__)  # eq. 10: a vertex of the simplex
        gamma = 2 / (t + 2)
        w = [(1 - gamma) * w[i] + gamma * (i == best) for i in range(count)]  # eq. 11
    return w


@pytest.mark.parametrize("losses", [2, 3, 4])
@pytest.mark.parametrize("iterations", [1, 2, 3, 7, 12])
def test_the_first_iterates_are_those_of_the_scalar_loop(
    jacobians: Draw, losses: int, iterations: int
) -> None:
    """The weights equal those of a loop that computes mib eqs 9–11 for one trial at a time."""
    rows = jacobians(40, losses, 6)
    weights = frank_wolfe_weights(rows @ rows.mT, iterations)
    expected = [scalar_iterates(gradients.tolist(), iterations) for gradients in rows]
    torch.testing.assert_close(weights, torch.tensor(expected, dtype=torch.float64))


def test_frank_wolfe_converges_slowly_to_the_closed_form(jacobians: Draw) -> None:
    """The largest error of the weights for random 2×2 Gramians is about 0.17 after 10 iterations.

    After 100 iterations it is about 0.02.
    """
    rows = jacobians(5000, 2, 2)
    g = rows @ rows.mT
    exact = min_norm_weights(g)
    iterations = (3, 10, 30, 100, 300)
    worst = [float((frank_wolfe_weights(g, n) - exact).abs().max()) for n in iterations]
    assert worst == sorted(worst, reverse=True)
    assert 0.15 < worst[1] < 0.19
    assert 0.015 < worst[3] < 0.025


def test_a_trial_with_nan_gradients_does_not_affect_other_trials(jacobians: Draw) -> None:
    """If the gradients of one trial are NaN, the other trials have the same weights as before."""
    rows = jacobians(3, 2, 4)
    alone = frank_wolfe_weights(rows @ rows.mT, 20)
    rows[1] = torch.nan
    assert torch.equal(frank_wolfe_weights(rows @ rows.mT, 20)[[0, 2]], alone[[0, 2]])
