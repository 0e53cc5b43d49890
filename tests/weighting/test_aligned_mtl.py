"""Aligned-MTL, against torchjd and the singular values of the aligned gradients."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torchjd.aggregation import AlignedMTL

Draw = Callable[..., Tensor]
Build = Callable[..., Any]


def step_of(weighting: Build, rows: Tensor) -> Tensor:
    losses = torch.ones(rows.shape[:2], dtype=torch.float64)
    return torch.einsum("mi,mik->mk", weighting("aligned_mtl")(losses, rows).step, rows)


@pytest.mark.parametrize("losses", [2, 3])
def test_the_step_is_that_of_torchjd(weighting: Build, jacobians: Draw, losses: int) -> None:
    """For 1000 Jacobians, the step equals torchjd's Aligned-MTL.

    Gramians that are singular in single precision are left out, because torchjd gets them in
    double precision.
    """
    rows = jacobians(1000, losses, 12)
    values = torch.linalg.eigvalsh(rows @ rows.mT)
    rows = rows[values[:, 0] > 1e-6 * values[:, -1]]
    assert len(rows) > 950
    oracle = torch.stack([AlignedMTL()(matrix) for matrix in rows])
    torch.testing.assert_close(step_of(weighting, rows), oracle)


def test_the_aligned_gradients_are_orthogonal_and_equally_long(
    weighting: Build, jacobians: Draw
) -> None:
    """The step is the mean of m orthogonal vectors whose length is the smallest singular value."""
    rows = jacobians(200, 3, 6)
    smallest = torch.linalg.svdvals(rows)[:, -1]
    torch.testing.assert_close(step_of(weighting, rows).norm(dim=1), smallest / 3**0.5)


def test_dependent_gradients_keep_the_eigenvalues_above_rounding(weighting: Build) -> None:
    """The smallest eigenvalue that is not a rounding error is used; opposite gradients cancel."""
    rows = torch.tensor([[[3.0, 4.0], [3.0, 4.0]], [[3.0, 4.0], [-3.0, -4.0]]]).double()
    torch.testing.assert_close(
        step_of(weighting, rows), torch.tensor([[3.0, 4.0], [0.0, 0.0]]).double()
    )


def test_a_weight_can_be_negative(weighting: Build) -> None:
    """A long gradient in nearly the direction of a short one gets a negative weight."""
    rows = torch.tensor([[[10.0, 0.0], [1.0, 0.1]]])
    weights = weighting("aligned_mtl")(torch.ones(1, 2), rows).step
    assert weights[0, 0] < 0 < weights[0, 1]
