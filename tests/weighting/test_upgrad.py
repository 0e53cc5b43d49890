"""UPGrad, against torchjd's UPGrad and PCGrad and the properties of projections."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import nnls
from torch import Tensor
from torchjd.aggregation import PCGrad, UPGrad
from torchjd.linalg import DualConeProjector

from paretoib.weighting._upgrad import _added, _two_losses

Draw = Callable[..., Tensor]
Build = Callable[..., Any]


class NonNegativeLeastSquares(DualConeProjector):
    """scipy's solver for torchjd's UPGrad, whose own solver is a package under the GPL.

    With v = u + s, the least vᵀ G v subject to v ≥ u is the least ‖R u + R s‖² subject to s ≥ 0,
    for a root R of G.
    """

    def __call__(self, U: Tensor, G: Tensor) -> Tensor:  # noqa: N803
        values, vectors = torch.linalg.eigh(G)
        root = (vectors * values.clamp_min(0).sqrt()).mT.numpy()
        rows = [u + nnls(root, -root @ u)[0] for u in U.numpy()]
        return torch.tensor(np.stack(rows))


def step_of(weighting: Build, rows: Tensor) -> Tensor:
    weights = weighting("upgrad")(torch.ones(rows.shape[:2], dtype=torch.float64), rows).step
    return torch.einsum("mi,mik->mk", weights, rows)


@pytest.mark.parametrize("losses", [2, 3, 5])
@pytest.mark.parametrize("parameters", [3, 12])
def test_the_step_is_that_of_torchjd(
    weighting: Build, jacobians: Draw, losses: int, parameters: int
) -> None:
    """For 1000 Jacobians, some with dependent gradients, the step equals torchjd's UPGrad."""
    rows = jacobians(1000, losses, parameters)
    oracle = UPGrad(projector=NonNegativeLeastSquares())
    expected = torch.stack([oracle(matrix) for matrix in rows])
    torch.testing.assert_close(step_of(weighting, rows), expected, rtol=1e-6, atol=1e-6)


def test_two_losses_have_the_direction_of_pcgrad(weighting: Build, jacobians: Draw) -> None:
    """For 1000 Jacobians of two losses, torchjd's PCGrad is twice the step."""
    rows = jacobians(1000, 2, 5)
    expected = torch.stack([PCGrad()(matrix) for matrix in rows])
    torch.testing.assert_close(2 * step_of(weighting, rows), expected)


def test_the_closed_form_of_two_losses_is_the_general_solution(jacobians: Draw) -> None:
    """Both solvers find the same projections of two unit gradients."""
    units = torch.nn.functional.normalize(jacobians(1000, 2, 4), dim=2)
    cosines = units @ units.mT
    torch.testing.assert_close(_two_losses(cosines), _added(cosines))


@pytest.mark.parametrize(("losses", "parameters"), [(2, 1), (3, 2), (4, 2), (8, 5), (8, 20)])
def test_the_step_increases_no_loss(
    weighting: Build, jacobians: Draw, losses: int, parameters: int
) -> None:
    """The step d has ⟨g_i, d⟩ ≥ 0 for each gradient, also if gradients are dependent."""
    rows = jacobians(100, losses, parameters)
    step = step_of(weighting, rows)
    scale = rows.norm(dim=2) * rows.norm(dim=2).amax(1, keepdim=True)
    assert (torch.einsum("mik,mk->mi", rows, step) >= -1e-9 * scale).all()


def test_gradients_without_conflict_are_averaged(weighting: Build, jacobians: Draw) -> None:
    """If no inner product of two gradients is negative, the step is their mean."""
    rows = jacobians(100, 4, 6).abs()
    torch.testing.assert_close(step_of(weighting, rows), rows.mean(1))
