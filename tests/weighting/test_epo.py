"""EPO search, against the published linear program and on a concave front."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from paretoib.weighting._epo import exact_pareto_weights

Draw = Callable[..., Tensor]
Build = Callable[..., Any]
Array = np.ndarray[Any, Any]


def published_weights(losses: Array, c: Array, r: Array) -> tuple[str, Array]:
    """The kind of step and the weights of one trial, from scipy's solver of linear programs."""
    weighted = r * losses
    share = weighted / weighted.sum()
    distance = float(np.sum(share * np.log(share * 2)))
    anchor = r * (np.log(share * 2) - distance)
    pull = c @ anchor

    def solve(aim: Array, lower: Array, *more: tuple[Array, float]) -> Array | None:
        rows = [(row, bound) for row, bound in zip(c, lower, strict=True) if bound > -np.inf]
        rows += more
        result = linprog(
            -aim,
            A_ub=[-row for row, _ in rows] or None,
            b_ub=[-bound for _, bound in rows] or None,
            A_eq=[[1, 1]],
            b_eq=[1],
            bounds=(0, 1),
        )
        return result.x if result.status == 0 else None

    if distance <= 1e-4:
        kind, floor = "descent", min(0.0, float(pull.max()))
        weights = solve(c.sum(0), np.zeros(2), (pull, floor))
        if weights is None:
            kind, weights = "relaxed", solve(c.sum(0), np.zeros(2))
    elif (pull > 0).any():
        lower = np.where(pull > 0, -np.inf, pull)
        lower[np.argmax(weighted)] = 0
        kind, weights = "balance", solve(pull, lower)
    else:
        kind, weights = "balance, all losses fall", solve(pull, np.zeros(2))
    assert weights is not None
    return kind, weights


def test_the_weights_solve_the_published_linear_program(jacobians: Draw) -> None:
    """For 1000 random trials, a fifth of them near the ray, the weights are those of scipy."""
    rows = jacobians(1000, 2, 3)
    gramian = rows @ rows.mT
    generator = torch.Generator().manual_seed(1)
    draw = torch.rand(1000, 3, generator=generator, dtype=torch.float64)
    preference = torch.stack([draw[:, 0], 1 - draw[:, 0]], dim=1)
    losses = draw[:, 1:] + 0.01
    losses[::5] = 0.3 / preference[::5] * (1 + 0.01 * (draw[::5, 1:] - 0.5))
    weights = exact_pareto_weights(losses, gramian, preference)
    kinds = set()
    for trial in range(1000):
        arguments = (losses[trial].numpy(), gramian[trial].numpy(), preference[trial].numpy())
        kind, expected = published_weights(*arguments)
        kinds.add(kind)
        np.testing.assert_allclose(weights[trial].numpy(), expected, atol=1e-6, err_msg=kind)
    assert kinds >= {"descent", "balance", "balance, all losses fall"}


def test_descent_ends_on_the_ray_from_every_start(weighting: Build) -> None:
    """On a concave front, for every λ and start, descent ends where λ f_1 = (1 − λ) f_2.

    The losses are those of test_fonseca_fleming.py, where no β reaches the inner points.
    """
    preferences = (0.1, 0.3, 0.5, 0.7, 0.9)
    for preference in preferences:
        weigh = weighting("epo", preference=preference, scale=1.0)
        t = torch.linspace(-1.5, 1.5, 13, dtype=torch.float64)
        for step in range(1000):
            offsets = torch.stack([t - 1, t + 1], dim=1)
            losses = 1 - (-offsets.square()).exp()
            gradients = 2 * offsets * (-offsets.square()).exp()
            weights = weigh(losses, gradients.unsqueeze(2)).step
            t = t - 0.3 * 0.995**step * (weights * gradients).sum(1)
        terms = torch.stack([preference * losses[:, 0], (1 - preference) * losses[:, 1]])
        share = terms[0] / terms.sum(0)
        distance = (share * (2 * share).log() + (1 - share) * (2 - 2 * share).log()).max()
        assert distance < 1e-3, preference


def test_scale_is_the_unit_of_the_other_loss(weighting: Build, jacobians: Draw) -> None:
    """With scale s, the step is that of the losses L_1 and L_2/s."""
    rows, losses = jacobians(200, 2, 4), torch.rand(200, 2, dtype=torch.float64) + 0.1
    unit = torch.tensor([1.0, 10.0], dtype=torch.float64)
    scaled = weighting("epo", preference=0.25, scale=10.0)(losses, rows).step
    plain = weighting("epo", preference=0.25, scale=1.0)(losses / unit, rows / unit[:, None]).step
    torch.testing.assert_close(scaled, plain / unit)


def test_the_loss_that_is_too_large_for_its_preference_falls(weighting: Build) -> None:
    """Away from the ray, a step never increases the largest r_i L_i."""
    rows = torch.randn(500, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    losses = torch.tensor([[3.0, 1.0]], dtype=torch.float64).expand(500, -1)
    weights = weighting("epo", preference=0.5, scale=1.0)(losses, rows).step
    step = torch.einsum("mi,mik->mk", weights, rows)
    assert (torch.einsum("mk,mk->m", rows[:, 0], step) >= -1e-9).all()
    assert math.isclose(float(weights.sum(1).max()), 1, rel_tol=1e-9)
