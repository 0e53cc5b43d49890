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


def squared_norm(gramian: Tensor, weights: Tensor) -> Tensor:
    """‖Σ w_i g_i‖² of each trial."""
    return torch.einsum("mi,mij,mj->m", weights, gramian, weights)


def assert_kkt(gramian: Tensor, weights: Tensor, tolerance: float = 1e-9) -> None:
    """Check that w is on the simplex and ⟨g_i, v⟩ ≥ ‖v‖² for all i, with equality if w_i > 0.

    v is Σ w_i g_i.
    """
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(len(weights), dtype=weights.dtype))
    excess = torch.einsum("mij,mj->mi", gramian, weights) - squared_norm(gramian, weights)[:, None]
    scale = gramian.diagonal(dim1=1, dim2=2).amax(1, keepdim=True)
    assert (excess >= -tolerance * scale).all()
    assert ((weights * excess).abs() <= tolerance * scale).all()


def test_two_losses_have_the_closed_form(jacobians: Draw) -> None:
    """For two losses w_1 = clip((g_22 − g_12)/(g_11 + g_22 − 2 g_12), 0, 1).

    torchjd's line search gives the same weights.
    """
    g = gramian(jacobians(300, 2, 5))
    weights = min_norm_weights(g)
    first = (g[:, 1, 1] - g[:, 0, 1]) / (g[:, 0, 0] + g[:, 1, 1] - 2 * g[:, 0, 1])
    torch.testing.assert_close(weights[:, 0], first.clamp(0, 1), rtol=0, atol=1e-15)
    oracle = torch.stack([MGDAWeighting(epsilon=1e-12, max_iters=5)(matrix) for matrix in g])
    torch.testing.assert_close(weights, oracle, rtol=0, atol=1e-13)
    inside = (weights > 0).all(1)
    assert 50 < inside.sum() < 250, "some weights should be clipped and some not"


@pytest.mark.parametrize("losses", [2, 3, 4, 9])
@pytest.mark.parametrize("parameters", [1, 2, 3, 20])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
def test_weights_satisfy_the_kkt_conditions(
    jacobians: Draw, losses: int, parameters: int, scale: float
) -> None:
    """The KKT conditions hold for any number of losses and parameters, and any scale.

    They also hold for singular Gramians.
    """
    g = gramian(jacobians(300, losses, parameters) * scale)
    assert_kkt(g, min_norm_weights(g))


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(-3, 3), min_size=2, max_size=2), min_size=2, max_size=4))
def test_gradients_of_small_integers_satisfy_the_kkt_conditions(rows: list[list[int]]) -> None:
    """The KKT conditions hold for gradients of small integers.

    Such gradients are often equal, opposite, parallel or zero.
    """
    g = gramian(torch.tensor([rows], dtype=torch.float64))
    scaled = g / g.diagonal(dim1=1, dim2=2).amax().clamp_min(1)
    assert_kkt(scaled, min_norm_weights(g))


@pytest.mark.parametrize("losses", [3, 4])
def test_torchjd_finds_no_smaller_norm_for_more_losses(jacobians: Draw, losses: int) -> None:
    """torchjd's Frank-Wolfe weights give no smaller squared norm than min-norm weights.

    The squared norm from torchjd is at most 3 % larger.
    """
    g = gramian(jacobians(30, losses, 8))
    oracle = torch.stack([MGDAWeighting(epsilon=1e-6, max_iters=500)(matrix) for matrix in g])
    squared_norms, torchjd_norms = squared_norm(g, min_norm_weights(g)), squared_norm(g, oracle)
    assert (squared_norms <= torchjd_norms * (1 + 1e-9)).all()
    torch.testing.assert_close(torchjd_norms, squared_norms, rtol=0.03, atol=1e-3)


@pytest.mark.parametrize("losses", [3, 5])
def test_a_slightly_asymmetric_gramian_is_accepted(jacobians: Draw, losses: int) -> None:
    """A Gramian in single precision is not exactly symmetric. Its symmetric part is used."""
    g = gramian(jacobians(200, losses, 30).double())
    g += 1e-7 * g.triu(1)
    assert_kkt((g + g.mT) / 2, min_norm_weights(g))


@pytest.mark.parametrize("losses", [2, 3, 4])
def test_equal_and_zero_gradients_get_equal_weights(losses: int) -> None:
    """If all gradients are equal, or all are zero, any weights are optimal.

    `min_norm_weights` gives weight 1/m to each of m losses.
    """
    equal = torch.ones(1, losses, losses, dtype=torch.float64)
    gramians = torch.cat([equal, 0 * equal])
    torch.testing.assert_close(
        min_norm_weights(gramians), torch.full_like(gramians[:, 0], 1 / losses)
    )


def test_opposite_gradients_get_weights_that_cancel_them() -> None:
    """The gradients g and −c g get weights in the ratio c : 1. A zero gradient gets weight 1."""
    g = gramian(torch.tensor([[[1.0, 2.0], [-3.0, -6.0]], [[1.0, 2.0], [0.0, 0.0]]]))
    torch.testing.assert_close(min_norm_weights(g), torch.tensor([[0.75, 0.25], [0.0, 1.0]]))


@pytest.mark.parametrize("losses", [2, 3])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_trial_that_is_not_finite_does_not_affect_other_trials(
    jacobians: Draw, losses: int, bad: float
) -> None:
    """A trial with a NaN or infinite Gramian gets NaN weights.

    The weights of the other trials do not change.
    """
    g = gramian(jacobians(3, losses, 5))
    alone = min_norm_weights(g)
    g[1] = bad
    weights = min_norm_weights(g)
    assert torch.equal(weights[[0, 2]], alone[[0, 2]])
    assert weights[1].isnan().all()
