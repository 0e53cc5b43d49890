"""Contract of every entry in WEIGHTINGS."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from paretoib.specs import section_model
from paretoib.weighting import WEIGHTINGS
from paretoib.weighting._weighting import Weighting, Weights

OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in WEIGHTINGS),
    *(("mgda", {"normalise": n}) for n in ("l2", "loss")),
    ("mgda", {"solver": "frank_wolfe"}),
    ("mib", {"normalise": "l2"}),
    ("mib", {"solver": "closed_form"}),
    ("mib", {"smooth": False}),
    ("smooth_chebyshev", {"mu": 1e-3, "scale": 1.0}),
    ("epo", {"scale": 1.0}),
]
# Every number of losses that the weighting accepts, up to four.
CASES = [
    pytest.param(name, options, losses, id="-".join(map(str, [name, *options.values(), losses])))
    for name, options in OPTIONS
    for losses in range(WEIGHTINGS[name].losses[0], min(WEIGHTINGS[name].losses[1], 4) + 1)
]
TRIALS = 5


def weigh(
    name: str,
    options: dict[str, Any],
    losses: Tensor,
    jacobians: Tensor,
    trials: slice = slice(None),
) -> Weights:
    """The weights of the selected trials; per-trial hyperparameters differ between the trials."""
    section = section_model("weighting", name)(**options)
    shared = {k: v for k, v in section.params.items() if not section.is_per_trial(k)}
    weighting: Weighting = WEIGHTINGS[name].load()(**shared)
    weighting.loss_count = losses.shape[1]
    weighting.prediction_count = 1 if losses.shape[1] < 3 else losses.shape[1] - 1
    spread = torch.linspace(0, 1, TRIALS)
    hyper = {
        k: _spread(k, section[k], spread)[trials]
        for k in section.params
        if section.is_per_trial(k) and k != "task_weights"
    }
    if name == "task_weights":
        weights = (0.5 + spread[:, None]).expand(-1, weighting.prediction_count)
        hyper["task_weights"] = weights[trials]
    for k, start in weighting.parameters().items():
        hyper[k] = (start + spread[:, None] - 0.5)[trials]
    generator = torch.Generator().manual_seed(1)
    for k, start in weighting.state().items():
        hyper[k] = (start + torch.rand(TRIALS, *start.shape, generator=generator))[trials]
    hyper["noise"] = torch.randn(TRIALS, weighting.noise, generator=generator)[trials]
    gramian = jacobians @ jacobians.mT
    return weighting(
        losses[trials], None if weighting.gradient == "none" else gramian[trials], hyper
    )


def _spread(field: str, value: float, spread: Tensor) -> Tensor:
    """Valid values of a field that differ between the trials."""
    if field == "sqrted":
        return spread.round()
    values = torch.tensor(float(value)) * (0.5 + spread)
    return values.round() if isinstance(value, int) else values


def draw(losses: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(TRIALS, losses, generator=generator) + 0.1
    return values, torch.randn(TRIALS, losses, 6, generator=generator)


@pytest.mark.parametrize(("name", "options", "losses"), CASES)
def test_a_trial_does_not_depend_on_its_pack(
    name: str, options: dict[str, Any], losses: int
) -> None:
    """The weights and the log of a trial depend only on that trial."""
    values, jacobians = draw(losses)
    together = weigh(name, options, values, jacobians)
    for trial in range(TRIALS):
        only = slice(trial, trial + 1)
        alone = weigh(name, options, values, jacobians, only)
        torch.testing.assert_close(together.step[only], alone.step)
        assert together.log.keys() == alone.log.keys()
        for key, logged in together.log.items():
            torch.testing.assert_close(logged[only], alone.log[key])


@pytest.mark.parametrize(("name", "options", "losses"), CASES)
def test_a_diverged_trial_does_not_affect_other_trials(
    name: str, options: dict[str, Any], losses: int
) -> None:
    """A trial with NaN or infinite losses and gradients does not change other trials' weights."""
    values, jacobians = draw(losses)
    clean = weigh(name, options, values, jacobians).step
    for trial, bad in ((1, torch.nan), (3, torch.inf)):
        values[trial], jacobians[trial] = bad, bad
    weights = weigh(name, options, values, jacobians).step
    torch.testing.assert_close(weights[[0, 2, 4]], clean[[0, 2, 4]])


NUMBERS = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)
ROWS = st.lists(st.lists(NUMBERS, min_size=2, max_size=2), min_size=4, max_size=4)


@pytest.mark.parametrize(("name", "options", "losses"), CASES)
@settings(max_examples=25, deadline=None)
@given(rows=ROWS, values=st.lists(NUMBERS, min_size=4, max_size=4))
def test_finite_losses_and_gradients_give_finite_weights(
    name: str, options: dict[str, Any], losses: int, rows: list[list[float]], values: list[float]
) -> None:
    """Weights are finite, ≥ 0 and not all 0.

    This holds even if gradients are zero, huge or parallel, or losses are negative. The weights of
    `aligned_mtl` are finite, but can be negative or 0.
    """
    jacobians = torch.tensor(rows)[:losses].expand(TRIALS, -1, -1)
    weights = weigh(name, options, torch.tensor(values)[:losses].expand(TRIALS, -1), jacobians).step
    assert weights.isfinite().all()
    if name == "aligned_mtl":
        return
    assert (weights >= 0).all()
    assert (weights.sum(1) > 0).all()
