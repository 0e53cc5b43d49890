"""What every row of OBJECTIVES guarantees."""

import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from paretoib.distributions import (
    CategoricalPrediction,
    GaussianEncoding,
    GaussianPrediction,
    Output,
    PointEncoding,
)
from paretoib.objectives import OBJECTIVES
from paretoib.objectives._objective import Objective
from paretoib.specs import section_model

LATENT, TARGETS, TRIALS = 3, 4, 5

pytestmark = [
    pytest.mark.parametrize("name", OBJECTIVES),
    pytest.mark.parametrize("continuous", [False, True]),
]


def build(name: str) -> Objective:
    section = section_model("objective", name).model_validate({})
    shared = {k: v for k, v in section.params.items() if not section.is_per_trial(k)}
    objective: Objective = OBJECTIVES[name].load()(**shared)
    return objective


def per_trial(name: str) -> dict[str, Tensor]:
    """A different value of each per-trial hyperparameter for each of the trials."""
    section = section_model("objective", name).model_validate({})
    names = [k for k in section.params if section.is_per_trial(k)]
    return {k: float(section[k]) * torch.linspace(0.5, 2, TRIALS) for k in names}


def batch(name: str, continuous: bool, examples: int = 6) -> dict[str, Any]:
    """Random encoders' outputs, noise and decoders of TRIALS models; targets; hyperparameters."""
    generator = torch.Generator().manual_seed(11)

    def draw(*shape: int) -> Tensor:
        return torch.randn(TRIALS, *shape, generator=generator)

    y = draw(examples, TARGETS)
    return {
        "raw": draw(examples, LATENT),
        "r": draw(examples, LATENT),
        "noise": draw(examples, LATENT),
        "decoder": draw(LATENT, TARGETS),
        "y": y if continuous else y.argmin(-1),
        "hyper": per_trial(name),
    }


def take(batch: Any, trial: int) -> Any:
    """One trial's part of a batch."""
    return torch.utils._pytree.tree_map(lambda t: t[trial], batch)


def losses(name: str, objective: Objective, values: dict[str, Any]) -> Tensor:
    """One model's losses, stacked; the latent has noise where the row says so."""
    mean, std = values["raw"], torch.nn.functional.softplus(values["r"])
    noisy = OBJECTIVES[name].noise == "learned"
    encoding = GaussianEncoding(mean, std) if noisy else PointEncoding(mean)
    z = encoding.sample(values["noise"])
    prediction = predict(z @ values["decoder"], values["y"])
    output = Output(encoding, z, prediction)
    return torch.stack(objective.losses(output, values["y"], values["hyper"]))


def predict(decoded: Tensor, y: Tensor) -> CategoricalPrediction | GaussianPrediction:
    if y.is_floating_point():
        return GaussianPrediction(decoded, torch.eye(TARGETS))
    return CategoricalPrediction(decoded)


@pytest.mark.parametrize("examples", [1, 6])
def test_one_finite_scalar_for_each_named_loss(name: str, continuous: bool, examples: int) -> None:
    """In the row's order, `prediction` first, also for a batch of one example."""
    values = take(batch(name, continuous, examples), 0)
    found = losses(name, build(name), values)
    assert found.shape == (len(OBJECTIVES[name].losses),)
    assert found.isfinite().all()
    noisy = OBJECTIVES[name].noise == "learned"
    std = torch.nn.functional.softplus(values["r"]) * noisy
    z = values["raw"] + std * values["noise"]
    nll = predict(z @ values["decoder"], values["y"]).nll(values["y"])
    assert OBJECTIVES[name].losses[0] == "prediction"
    torch.testing.assert_close(found[0], nll.mean())


def test_the_same_input_gives_the_same_losses(name: str, continuous: bool) -> None:
    """An objective draws nothing at random: noise comes from outside."""
    first, second = (losses(name, build(name), take(batch(name, continuous), 1)) for _ in range(2))
    assert torch.equal(first, second)


def test_a_pack_is_its_trials_one_by_one(name: str, continuous: bool) -> None:
    """Under vmap, with hyperparameters that differ, losses and gradients are those had alone."""
    values, objective = batch(name, continuous), build(name)

    def total(raw: Tensor, values: dict[str, Any]) -> tuple[Tensor, Tensor]:
        found = losses(name, objective, {**values, "raw": raw})
        return found.sum(), found

    derivative = torch.func.grad(total, has_aux=True)
    together = torch.func.vmap(derivative)(values["raw"], values)
    for trial in range(TRIALS):
        mine = take(values, trial)
        raw = mine["raw"].clone().requires_grad_()
        found = losses(name, objective, {**mine, "raw": raw})
        (gradient,) = torch.autograd.grad(found.sum(), raw)
        torch.testing.assert_close(take(together, trial), (gradient, found.detach()))


def test_it_can_be_sent_to_a_worker(name: str, continuous: bool) -> None:
    """An objective survives pickling and gives the same losses afterwards."""
    values, objective = take(batch(name, continuous), 2), build(name)
    sent = pickle.loads(pickle.dumps(objective))
    assert torch.equal(losses(name, sent, values), losses(name, objective, values))
