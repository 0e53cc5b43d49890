"""The published Frank-Wolfe iteration (mib eqs 9–11), against a scalar loop and its limit."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from paretoib.weighting._frank_wolfe import FrankWolfe, step_function
from paretoib.weighting._min_norm import min_norm_weights, stationary_weight

Draw = Callable[..., Tensor]


def weights_after(iterations: int | list[int], gramian: Tensor) -> Tensor:
    counts = torch.as_tensor(iterations, dtype=torch.float32).expand(len(gramian))
    return FrankWolfe(counts)(gramian)


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


@pytest.mark.parametrize("losses", [2, 3, 4, 9])
@pytest.mark.parametrize("iterations", [1, 2, 3, 7, 12])
def test_the_first_iterates_are_those_of_the_scalar_loop(
    jacobians: Draw, losses: int, iterations: int
) -> None:
    """The weights equal those of a loop that computes mib eqs 9–11 for one trial at a time."""
    rows = jacobians(40, losses, 6)
    weights = weights_after(iterations, rows @ rows.mT)
    expected = [scalar_iterates(gradients.tolist(), iterations) for gradients in rows]
    torch.testing.assert_close(weights, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_the_table_of_two_losses_agrees_with_the_loop_for_many_iterations(
    jacobians: Draw, scale: float
) -> None:
    """After 200 iterations, for gradients of very different lengths."""
    rows = jacobians(300, 2, 3)
    rows[:, 1] *= scale
    weights = weights_after(200, rows @ rows.mT)
    expected = [scalar_iterates(gradients.tolist(), 200) for gradients in rows]
    torch.testing.assert_close(weights, torch.tensor(expected, dtype=torch.float64))


def test_ten_iterations_for_gradients_of_lengths_1_and_100() -> None:
    """For the Gramian diag(1, 10⁴): (0.9636, 0.0364) after 10 iterations; exact: 0.0001."""
    gramian = torch.diag(torch.tensor([1.0, 1e4], dtype=torch.float64)).unsqueeze(0)
    expected = torch.tensor([[0.9636, 0.0364]], dtype=torch.float64)
    torch.testing.assert_close(weights_after(10, gramian), expected, rtol=0, atol=5e-5)
    assert float(weights_after(100, gramian)[0, 1]) == pytest.approx(4e-4, rel=0.01)
    assert float(min_norm_weights(gramian)[0, 1]) == pytest.approx(1e-4, rel=1e-3)


@pytest.mark.parametrize("losses", [2, 3])
def test_each_trial_has_its_own_number_of_iterations(jacobians: Draw, losses: int) -> None:
    """The weights of a trial do not depend on the numbers of iterations of the other trials."""
    rows = jacobians(4, losses, 6)
    gramian, counts = rows @ rows.mT, [1, 200, 7, 40]
    together = weights_after(counts, gramian)
    alone = [weights_after(n, gramian[i : i + 1]) for i, n in enumerate(counts)]
    assert torch.equal(together, torch.cat(alone))


def test_frank_wolfe_converges_slowly_to_the_closed_form(jacobians: Draw) -> None:
    """The largest error of the weights for random 2×2 Gramians is about 0.17 after 10 iterations.

    After 100 iterations it is about 0.02.
    """
    rows = jacobians(5000, 2, 2)
    g = rows @ rows.mT
    exact = min_norm_weights(g)
    iterations = (3, 10, 30, 100, 300)
    worst = [float((weights_after(n, g) - exact).abs().max()) for n in iterations]
    assert worst == sorted(worst, reverse=True)
    assert 0.15 < worst[1] < 0.19
    assert 0.015 < worst[3] < 0.025


@pytest.mark.parametrize("iterations", [1, 10, 200])
def test_the_step_function_covers_the_line(iterations: int) -> None:
    """The intervals ascend from −∞, and the outer weights are 0 and 1 (the first is ½ at T = 0)."""
    starts, weights = step_function(iterations)
    assert starts[0] == -torch.inf
    assert bool((starts.diff() > 0).all())
    assert (float(weights[0]), float(weights[-1])) == (0.0, 1.0)
    assert bool(((weights >= 0) & (weights <= 1)).all())


def test_equal_gradients_take_the_first_loss() -> None:
    """With equal gradients, every iteration takes the first of two equal slopes."""
    gramian = torch.ones(1, 2, 2, dtype=torch.float64)
    assert bool(stationary_weight(gramian).isnan())
    assert weights_after(10, gramian).tolist() == [[1.0, 0.0]]
    assert scalar_iterates([[1.0], [1.0]], 10) == [1.0, 0.0]


@pytest.mark.parametrize("losses", [2, 3])
def test_a_trial_with_nan_gradients_does_not_affect_other_trials(
    jacobians: Draw, losses: int
) -> None:
    """If the gradients of one trial are NaN, the other trials have the same weights as before."""
    rows = jacobians(3, losses, 4)
    alone = weights_after(20, rows @ rows.mT)
    rows[1] = torch.nan
    found = weights_after(20, rows @ rows.mT)
    assert torch.equal(found[[0, 2]], alone[[0, 2]])
    assert bool(found[1].isnan().all())
