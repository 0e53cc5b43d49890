"""Contract of the losses of every entry in OBJECTIVES."""

import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from paretoib.discrete import (
    BernoulliEncoding,
    BinaryLayer,
    CategoricalEncoding,
    CodebookPrediction,
    raiko,
)
from paretoib.distributions import (
    ZERO_ENTROPY_STD,
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

# Objectives that need classes are not tested with a continuous Y.
for_each_target = pytest.mark.parametrize(
    ("name", "continuous"),
    [
        (name, continuous)
        for name, entry in OBJECTIVES.items()
        for continuous in ((False,) if entry.classes else (False, True))
    ],
)
for_each_objective = pytest.mark.parametrize("name", OBJECTIVES)


def build(name: str) -> Objective:
    """The objective with its default hyperparameters."""
    section = section_model("objective", name).model_validate({})
    shared = {k: v for k, v in section.params.items() if not section.is_per_trial(k)}
    objective: Objective = OBJECTIVES[name].build(shared)
    return objective


def per_trial(name: str) -> dict[str, Tensor]:
    """Per-trial hyperparameters with a different value, or different values, for each trial."""
    section = section_model("objective", name).model_validate({})
    names = [k for k in section.params if section.is_per_trial(k)]
    spread = torch.linspace(0.5, 2, TRIALS)
    # One binary layer has one relative β, and γ_0 and γ_1.
    lists = {"relative_betas": spread[:, None], "gammas": torch.stack([spread, 1 / spread], dim=1)}
    return {k: lists[k] if k in lists else float(section[k]) * spread for k in names}


def batch(name: str, continuous: bool, examples: int = 6) -> dict[str, Any]:
    """The inputs of the losses of TRIALS models; all but the hyperparameters are random."""
    generator = torch.Generator().manual_seed(11)

    def draw(*shape: int) -> Tensor:
        return torch.randn(TRIALS, *shape, generator=generator)

    y = draw(examples, TARGETS)
    sizes = (None, TARGETS) if continuous else (TARGETS, None)
    return {
        "raw": draw(examples, LATENT),
        "raw_width": draw(examples, LATENT),
        "noise": draw(examples, LATENT),
        "prior": draw(LATENT),
        "decoder": draw(LATENT, TARGETS),
        "parameters": {
            k: draw(*v.shape) for k, v in build(name).parameters(LATENT, *sizes).items()
        },
        "y": y if continuous else y.argmin(-1),
        "hyper": per_trial(name),
    }


def take(batch: Any, trial: int) -> Any:
    """The values of one trial."""
    return torch.utils._pytree.tree_map(lambda t: t[trial], batch)


def encode(
    name: str, values: dict[str, Any]
) -> GaussianEncoding | PointEncoding | BernoulliEncoding | CategoricalEncoding:
    """p(z|x) with the noise that the objective needs."""
    mean, raw_width = values["raw"], values["raw_width"]
    noise = OBJECTIVES[name].noise
    if noise == "none":
        return PointEncoding(mean)
    if noise == "bernoulli":
        return BernoulliEncoding(mean)
    if noise == "categorical":
        return CategoricalEncoding(mean)
    stds = {
        "learned": torch.nn.functional.softplus(raw_width),
        "scale": torch.nn.functional.softplus(raw_width[0, 0]).expand_as(mean),
        "zero_entropy": torch.full_like(mean, ZERO_ENTROPY_STD),
    }
    return GaussianEncoding(mean, stds[noise])


def losses(name: str, objective: Objective, values: dict[str, Any]) -> Tensor:
    """The losses of one model, stacked."""
    output = model_output(name, values)
    return torch.stack(objective.losses(output, values["y"], values["hyper"]))


def model_output(name: str, values: dict[str, Any]) -> Output:
    """The output of one model."""
    encoding = encode(name, values)
    if isinstance(encoding, CategoricalEncoding):
        book = CodebookPrediction(encoding.mean, values["decoder"].log_softmax(-1))
        return Output(encoding, encoding.mean, book, values["parameters"])
    z = encoding.sample(values["noise"])
    prediction = predict(z @ values["decoder"], values["y"])
    if isinstance(encoding, BernoulliEncoding):  # one layer with two samples
        samples = torch.stack([z, raiko(encoding.mean, -values["noise"])])
        prediction = predict(samples @ values["decoder"], values["y"])
        layers = (BinaryLayer(encoding, z, values["prior"]),)
        return Output(encoding, z, prediction, values["parameters"], layers)
    return Output(encoding, z, prediction, values["parameters"])


def predict(decoded: Tensor, y: Tensor) -> CategoricalPrediction | GaussianPrediction:
    if y.is_floating_point():
        return GaussianPrediction(decoded, torch.eye(TARGETS).to(decoded))
    return CategoricalPrediction(decoded)


@for_each_target
@pytest.mark.parametrize("examples", [1, 2, 6])
def test_each_loss_is_a_finite_scalar(name: str, continuous: bool, examples: int) -> None:
    """Each loss is a finite scalar, also for a batch of one example. The first is `prediction`."""
    values = take(batch(name, continuous, examples), 0)
    results = losses(name, build(name), values)
    assert results.shape == (len(OBJECTIVES[name].losses),)
    assert results.isfinite().all()
    assert OBJECTIVES[name].losses[0] == "prediction"
    # Objectives with binary layers may average over samples inside the logarithm.
    if OBJECTIVES[name].noise != "bernoulli":
        nll = model_output(name, values).prediction.nll(values["y"])
        torch.testing.assert_close(results[0], nll.mean())


@for_each_target
def test_the_same_input_gives_the_same_losses(name: str, continuous: bool) -> None:
    """Equal inputs give equal losses: an objective draws no random numbers; noise is an input."""
    first, second = (losses(name, build(name), take(batch(name, continuous), 1)) for _ in range(2))
    assert torch.equal(first, second)


@for_each_target
def test_the_losses_do_not_depend_on_the_order_of_a_batch(name: str, continuous: bool) -> None:
    """Reordering examples, noise and targets together changes no loss."""
    values = take(batch(name, continuous), 2)
    flipped = {k: values[k].flip(0) for k in ("raw", "noise", "y")}
    if OBJECTIVES[name].noise == "learned":
        flipped["raw_width"] = values["raw_width"].flip(0)
    objective = build(name)
    torch.testing.assert_close(
        losses(name, objective, values | flipped), losses(name, objective, values)
    )


@for_each_target
def test_a_model_does_not_depend_on_the_other_models(name: str, continuous: bool) -> None:
    """Under `vmap`, each model has the losses and gradients that it has alone."""
    values, objective = batch(name, continuous), build(name)
    variables = {k: values[k] for k in ("raw", "parameters", "prior")}

    def total(variables: Any, values: dict[str, Any]) -> tuple[Tensor, Tensor]:
        results = losses(name, objective, values | variables)
        return results.sum(), results

    derivative = torch.func.grad(total, has_aux=True)
    together = torch.func.vmap(derivative)(variables, values)
    for trial in range(TRIALS):
        alone = derivative(take(variables, trial), take(values, trial))
        torch.testing.assert_close(take(together, trial), alone)


@for_each_objective
def test_diagnostics_have_a_value_for_each_loss_of_each_trial(name: str) -> None:
    """Each diagnostic has one value per loss and trial, which may be NaN.

    The value depends only on the losses of its trial.
    """
    objective, rows = build(name), 1 + torch.rand(TRIALS, len(OBJECTIVES[name].losses))
    for key, values in objective.diagnostics(rows, 8).items():
        assert values.shape == rows.shape
        alone = torch.cat([objective.diagnostics(row, 8)[key] for row in rows.split(1)])
        torch.testing.assert_close(values, alone, equal_nan=True)


@for_each_target
def test_an_objective_can_be_pickled(name: str, continuous: bool) -> None:
    """A pickled objective gives the same losses."""
    values, objective = take(batch(name, continuous), 2), build(name)
    sent = pickle.loads(pickle.dumps(objective))
    assert torch.equal(losses(name, sent, values), losses(name, objective, values))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@for_each_target
def test_a_gpu_agrees_with_the_cpu(name: str, continuous: bool) -> None:
    """A stack of models has the same losses and gradients on a GPU and on the CPU.

    They differ at most by rounding errors of single precision.
    """
    values, objective = batch(name, continuous), build(name)

    def total(variables: Any, values: dict[str, Any]) -> tuple[Tensor, Tensor]:
        results = losses(name, objective, values | variables)
        return results.sum(), results

    def compute_on(device: str) -> Any:
        moved = torch.utils._pytree.tree_map(lambda t: t.to(device), values)
        variables = {k: moved[k] for k in ("raw", "parameters", "prior", "decoder")}
        results = torch.func.vmap(torch.func.grad(total, has_aux=True))(variables, moved)
        return torch.utils._pytree.tree_map(lambda t: t.cpu(), results)

    torch.testing.assert_close(compute_on("cuda"), compute_on("cpu"), rtol=1e-3, atol=1e-4)
