"""Min-norm weights, against the closed form, the KKT conditions and torchjd."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchjd.aggregation import MGDAWeighting

from paretoib.weighting._min_norm import min_norm_weights

Draw = Callable[..., Tensor]


def gramian(jacobian: Tensor) -> Tensor:
    return jacobian @ jacobian.mT


def norm(gramian: Tensor, weights: Tensor) -> Tensor:
    """‖Σ w_i g_i‖² of each trial."""
    return torch.einsum("mi,mij,mj->m", weights, gramian, weights)


def assert_kkt(gramian: Tensor, weights: Tensor, tolerance: float = 1e-9) -> None:
    """Check that w is on the simplex and ⟨g_i, v⟩ ≥ ‖v‖² for all i, with equality if w_i > 0."""
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(len(weights), dtype=weights.dtype))
    slope = torch.einsum("mij,mj->mi", gramian, weights) - norm(gramian, weights)[:, None]
    scale = gramian.diagonal(dim1=1, dim2=2).amax(1, keepdim=True)
    assert (slope >= -tolerance * scale).all()
    assert ((weights * slope).abs() <= tolerance * scale).all()


def test_two_losses_have_the_closed_form(jacobians: Draw) -> None:
    """w_1 = clip((g_22 − g_12)/(g_11 + g_22 − 2 g_12), 0, 1); torchjd's line search agrees."""
    g = gramian(jacobians(300, 2, 5))
    weights = min_norm_weights(g)
    first = (g[:, 1, 1] - g[:, 0, 1]) / (g[:, 0, 0] + g[:, 1, 1] - 2 * g[:, 0, 1])
    torch.testing.assert_close(weights[:, 0], first.clamp(0, 1), rtol=0, atol=1e-15)
    oracle = torch.stack([MGDAWeighting(epsilon=1e-12, max_iters=5)(one) for one in g])
    torch.testing.assert_close(weights, oracle, rtol=0, atol=1e-13)
    inside = (weights > 0).all(1)
    assert 50 < inside.sum() < 250, "some weights should be clipped and some not"


@pytest.mark.parametrize("losses", [2, 3, 4])
@pytest.mark.parametrize("parameters", [1, 2, 3, 20])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
def test_weights_satisfy_the_kkt_conditions(
    jacobians: Draw, losses: int, parameters: int, scale: float
) -> None:
    """They hold for any number of losses and parameters, any scale, and singular Gramians."""
    g = gramian(jacobians(300, losses, parameters) * scale)
    assert_kkt(g, min_norm_weights(g))


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(-3, 3), min_size=2, max_size=2), min_size=2, max_size=4))
def test_lattice_gradients_satisfy_the_kkt_conditions(rows: list[list[int]]) -> None:
    """Small integers produce equal, opposite, parallel and zero gradients."""
    g = gramian(torch.tensor([rows], dtype=torch.float64))
    scaled = g / g.diagonal(dim1=1, dim2=2).amax().clamp_min(1)
    assert_kkt(scaled, min_norm_weights(g))


@pytest.mark.parametrize("losses", [3, 4])
def test_for_more_losses_the_norm_is_never_above_torchjds(jacobians: Draw, losses: int) -> None:
    """The norm of torchjd's Frank-Wolfe weights is at least ours and at most 3 % above it."""
    g = gramian(jacobians(30, losses, 8))
    oracle = torch.stack([MGDAWeighting(epsilon=1e-6, max_iters=500)(one) for one in g])
    ours, theirs = norm(g, min_norm_weights(g)), norm(g, oracle)
    assert (ours <= theirs * (1 + 1e-9)).all()
    torch.testing.assert_close(theirs, ours, rtol=0.03, atol=1e-3)


@pytest.mark.parametrize("losses", [3, 5])
def test_a_gramian_need_not_be_symmetric_to_the_last_bit(jacobians: Draw, losses: int) -> None:
    """Products in single precision are not exactly symmetric; the symmetric part is used."""
    g = gramian(jacobians(200, losses, 30).double())
    g += 1e-7 * g.triu(1)
    assert_kkt((g + g.mT) / 2, min_norm_weights(g))


@pytest.mark.parametrize("losses", [2, 3, 4])
def test_equal_and_zero_gradients_get_equal_weights(losses: int) -> None:
    """If all weights are optimal, the weights are equal."""
    equal = torch.ones(1, losses, losses, dtype=torch.float64)
    both = torch.cat([equal, 0 * equal])
    torch.testing.assert_close(min_norm_weights(both), torch.full_like(both[:, 0], 1 / losses))


def test_opposite_gradients_cancel() -> None:
    """g and −c g get weights in the ratio c : 1; a zero gradient gets weight 1."""
    g = gramian(torch.tensor([[[1.0, 2.0], [-3.0, -6.0]], [[1.0, 2.0], [0.0, 0.0]]]))
    torch.testing.assert_close(min_norm_weights(g), torch.tensor([[0.75, 0.25], [0.0, 1.0]]))


@pytest.mark.parametrize("losses", [2, 3])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_trial_that_is_not_finite_does_not_affect_other_trials(
    jacobians: Draw, losses: int, bad: float
) -> None:
    """The weights of that trial are NaN."""
    g = gramian(jacobians(3, losses, 5))
    alone = min_norm_weights(g)
    g[1] = bad
    weights = min_norm_weights(g)
    assert torch.equal(weights[[0, 2]], alone[[0, 2]])
    assert weights[1].isnan().all()
