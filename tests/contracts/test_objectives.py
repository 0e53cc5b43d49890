"""What every row of OBJECTIVES guarantees."""

import pickle
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from paretoib.data._load import load_dataset
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
from paretoib.errors import SpecError
from paretoib.objectives import OBJECTIVES
from paretoib.objectives._objective import Objective
from paretoib.records import TrialRecord
from paretoib.specs import SweepSpec, TrialSpec, section_model
from paretoib.training._pack import Pack
from paretoib.training._run import run_trials
from paretoib.weighting import WEIGHTINGS

LATENT, TARGETS, TRIALS = 3, 4, 5

each_target = pytest.mark.parametrize(
    ("name", "continuous"),
    [(name, c) for name, row in OBJECTIVES.items() for c in (False, True)[: 2 - row.classes]],
)
each = pytest.mark.parametrize("name", OBJECTIVES)


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
    sizes = (None, TARGETS) if continuous else (TARGETS, None)
    return {
        "raw": draw(examples, LATENT),
        "r": draw(examples, LATENT),
        "noise": draw(examples, LATENT),
        "prior": draw(LATENT),
        "decoder": draw(LATENT, TARGETS),
        "own": {k: draw(*v.shape) for k, v in build(name).parameters(LATENT, *sizes).items()},
        "y": y if continuous else y.argmin(-1),
        "hyper": per_trial(name),
    }


def take(batch: Any, trial: int) -> Any:
    """One trial's part of a batch."""
    return torch.utils._pytree.tree_map(lambda t: t[trial], batch)


def encode(
    name: str, values: dict[str, Any]
) -> GaussianEncoding | PointEncoding | BernoulliEncoding | CategoricalEncoding:
    """p(z|x) with the noise that the row says."""
    mean, r = values["raw"], values["r"]
    noise = OBJECTIVES[name].noise
    if noise == "none":
        return PointEncoding(mean)
    if noise == "bernoulli":
        return BernoulliEncoding(mean)
    if noise == "categorical":
        return CategoricalEncoding(mean)
    widths = {
        "learned": torch.nn.functional.softplus(r),
        "scale": torch.nn.functional.softplus(r[0, 0]).expand_as(mean),
        "zero_entropy": torch.full_like(mean, ZERO_ENTROPY_STD),
    }
    return GaussianEncoding(mean, widths[noise])


def losses(name: str, objective: Objective, values: dict[str, Any]) -> Tensor:
    """One model's losses, stacked."""
    output = out(name, values)
    return torch.stack(objective.losses(output, values["y"], values["hyper"]))


def out(name: str, values: dict[str, Any]) -> Output:
    """One model's output."""
    encoding = encode(name, values)
    if isinstance(encoding, CategoricalEncoding):
        book = CodebookPrediction(encoding.mean, values["decoder"].log_softmax(-1))
        return Output(encoding, encoding.mean, book, values["own"])
    z = encoding.sample(values["noise"])
    prediction = predict(z @ values["decoder"], values["y"])
    if isinstance(encoding, BernoulliEncoding):  # One layer, and two samples of it.
        more = torch.stack([z, raiko(encoding.mean, -values["noise"])])
        prediction = predict(more @ values["decoder"], values["y"])
        layers = (BinaryLayer(encoding, z, values["prior"]),)
        return Output(encoding, z, prediction, values["own"], layers)
    return Output(encoding, z, prediction, values["own"])


def predict(decoded: Tensor, y: Tensor) -> CategoricalPrediction | GaussianPrediction:
    if y.is_floating_point():
        return GaussianPrediction(decoded, torch.eye(TARGETS))
    return CategoricalPrediction(decoded)


@each_target
@pytest.mark.parametrize("examples", [1, 2, 6])
def test_one_finite_scalar_for_each_named_loss(name: str, continuous: bool, examples: int) -> None:
    """In the row's order, `prediction` first, also for a batch of one example."""
    values = take(batch(name, continuous, examples), 0)
    found = losses(name, build(name), values)
    assert found.shape == (len(OBJECTIVES[name].losses),)
    assert found.isfinite().all()
    assert OBJECTIVES[name].losses[0] == "prediction"
    if OBJECTIVES[name].noise != "bernoulli":  # for which the samples' mean may be in the logarithm
        nll = out(name, values).prediction.nll(values["y"])
        torch.testing.assert_close(found[0], nll.mean())


@each_target
def test_the_same_input_gives_the_same_losses(name: str, continuous: bool) -> None:
    """An objective draws nothing at random: noise comes from outside."""
    first, second = (losses(name, build(name), take(batch(name, continuous), 1)) for _ in range(2))
    assert torch.equal(first, second)


@each_target
def test_the_order_of_a_batch_does_not_matter(name: str, continuous: bool) -> None:
    """Examples, noise and targets exchanged together leave every loss as it was."""
    values = take(batch(name, continuous), 2)
    turned = {k: values[k].flip(0) for k in ("raw", "noise", "y")}
    if OBJECTIVES[name].noise == "learned":
        turned["r"] = values["r"].flip(0)
    objective = build(name)
    torch.testing.assert_close(
        losses(name, objective, values | turned), losses(name, objective, values)
    )


@each_target
def test_a_stack_is_its_models_one_by_one(name: str, continuous: bool) -> None:
    """Under vmap, with hyperparameters that differ, losses and gradients are those had alone."""
    values, objective = batch(name, continuous), build(name)
    variables = {k: values[k] for k in ("raw", "own", "prior")}

    def total(variables: Any, values: dict[str, Any]) -> tuple[Tensor, Tensor]:
        found = losses(name, objective, values | variables)
        return found.sum(), found

    derivative = torch.func.grad(total, has_aux=True)
    together = torch.func.vmap(derivative)(variables, values)
    for trial in range(TRIALS):
        alone = derivative(take(variables, trial), take(values, trial))
        torch.testing.assert_close(take(together, trial), alone)


@each
def test_what_is_watched_has_a_value_for_each_loss_of_each_trial(name: str) -> None:
    """Or NaN; and each trial's is its own."""
    objective, rows = build(name), 1 + torch.rand(TRIALS, len(OBJECTIVES[name].losses))
    for key, values in objective.watch(rows, 8).items():
        assert values.shape == rows.shape
        alone = torch.cat([objective.watch(row, 8)[key] for row in rows.split(1)])
        torch.testing.assert_close(values, alone, equal_nan=True)


@each_target
def test_it_can_be_sent_to_a_worker(name: str, continuous: bool) -> None:
    """An objective survives pickling and gives the same losses afterwards."""
    values, objective = take(batch(name, continuous), 2), build(name)
    sent = pickle.loads(pickle.dumps(objective))
    assert torch.equal(losses(name, sent, values), losses(name, objective, values))


def trial(name: str, data: str = "digits", weighting: str = "linear", **fields: Any) -> TrialSpec:
    """A small trial of the objective, weighed where there is something to weigh."""
    row = OBJECTIVES[name]
    model = (row.model or "mlp") if data == "digits" else "linear"
    small: dict[str, Any] = {"latent": 4} | ({"hidden": [16]} if data == "digits" else {})
    if model == "sigmoid":
        small |= {"hidden": [8], "initial_scale": 8.0}
    else:
        small["initial_noise"] = 0.5
    document = {
        "data": data,
        "model": model,
        "objective": name,
        "weighting": weighting if len(row.losses) > 1 else "none",
    }
    return TrialSpec.from_document(document).with_fields({**small, **fields})


def weighed(name: str, beta: float) -> dict[str, Any]:
    return {"beta": beta} if len(OBJECTIVES[name].losses) > 1 else {}


@cache
def pack(name: str) -> tuple[tuple[TrialSpec, ...], list[TrialRecord]]:
    """Four trials on a few digits that differ in seed, β and learning rate; trained together."""
    training: dict[str, Any] = {"subset": 0.28, "batch_size": 100, "epochs": 4}
    specs = tuple(
        trial(name, **training, **weighed(name, beta), seed=seed, learning_rate=rate)
        for seed, beta, rate in ((0, 1e-3, 1e-2), (1, 0.1, 5e-3), (0, 0.3, 2e-2), (2, 1e-4, 1e-2))
    )
    return specs, run_trials(specs, device="cpu")


def assert_same(left: Mapping[str, Any], right: Mapping[str, Any]) -> None:
    """Two documents of numbers, rows of numbers and what is not there."""
    assert left.keys() == right.keys()
    for key, value in left.items():
        if value is None or right[key] is None:
            assert value is right[key], key
        else:
            assert value == pytest.approx(right[key], rel=1e-4, abs=1e-5), key


@each
def test_a_trial_does_not_depend_on_its_pack(name: str) -> None:
    """Its history and metrics are those had alone."""
    specs, records = pack(name)
    (alone,) = run_trials(specs[2:3], device="cpu")
    packed = records[2]
    assert alone.status == packed.status == "finished"
    assert_same(alone.history, packed.history)
    assert alone.test is not None
    assert packed.test is not None
    assert_same(alone.test.model_dump(), packed.test.model_dump())


@each
def test_training_lowers_the_loss_that_is_weighed(name: str) -> None:
    """The last epoch's prediction + β · compression is below the first's."""
    for spec, record in zip(*pack(name), strict=True):
        weights = {"prediction": 1.0, "compression": spec.weighting.params.get("beta", 0.0)}
        rows = [w * np.array(record.history.get(f"loss/{k}", 0.0)) for k, w in weights.items()]
        assert np.diff(sum(rows)[[0, -1]]) < 0, spec.seed


@each
def test_a_rate_is_there_exactly_where_noise_is(name: str) -> None:
    """By the ruler, in order, in the history too; without noise there is no number at all."""
    noisy = OBJECTIVES[name].noise != "none"
    for record in pack(name)[1]:
        metrics = record.test
        assert metrics is not None
        assert ("rate_bits" in record.history) == noisy
        assert (metrics.rate_bits is not None) == noisy
        if metrics.rate_bits is not None and metrics.rate_lower_bits is not None:
            assert 0 <= metrics.rate_lower_bits <= metrics.rate_bits


@pytest.mark.parametrize("name", [n for n, row in OBJECTIVES.items() if len(row.losses) > 1])
def test_the_rate_falls_as_beta_grows(name: str) -> None:
    """On Gaussian data, where the optimum's does; on classes where the objective needs them."""
    if OBJECTIVES[name].classes:
        data: dict[str, Any] = {"epochs": 25, "batch_size": 200, "learning_rate": 0.02}
        template, betas = trial(name, **data), (1e-3, 0.03, 1.0, 30.0)
    else:
        schedule: dict[str, Any] = {"schedule": "exponential", "decay": 0.7, "learning_rate": 0.03}
        data = {"samples": 2000, "epochs": 10, "batch_size": 100, **schedule}
        template, betas = trial(name, "gaussian", **data), (0.01, 0.1, 0.3, 0.8)
    if name == "vim":
        betas = (0.1, 3.0, 30.0, 100.0)  # of a distance that is at most 2, not of nats
    records = run_trials([template.with_fields({"beta": b}) for b in betas], device="cpu")
    rates = [r.test.rate_bits for r in records if r.test and r.test.rate_bits is not None]
    assert len(rates) == 4
    if name == "categorical":  # whose optimum is the same corner for every β below 1
        assert rates[1] > 1.5 > 0.1 > max(rates[2:]), rates
        return
    assert (np.diff(rates) < -0.05).all(), rates


@pytest.mark.parametrize(
    ("name", "weighting"),
    [
        (n, w)
        for n, row in OBJECTIVES.items()
        for w, way in WEIGHTINGS.items()
        if way.losses[0] <= len(row.losses) <= way.losses[1]
    ],
)
def test_every_weighting_that_takes_it_can_train_it(name: str, weighting: str) -> None:
    """A step of two trials has finite gradients, and none that is zero for the whole encoder."""
    specs = [trial(name, weighting=weighting, seed=seed) for seed in (0, 1)]
    trained = Pack(specs, load_dataset("digits", specs[0].data.params), torch.device("cpu"))
    trained.stack.train(True)
    step = trained.step(next(trained.batches.epoch()))
    assert step.losses.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in step.gradients)
    shared = [g.flatten(1) for g in step.gradients[: trained.stack.shared]]
    assert (torch.cat(shared, dim=1).norm(dim=1) > 0).all()


@each
def test_batches_of_one_and_a_smaller_last_one_are_trained_on(name: str) -> None:
    """Eleven examples one by one, and in fives with one left over: every loss is finite."""
    for batch_size in (1, 5):
        spec = trial(name, subset=0.01, batch_size=batch_size, epochs=2)
        (record,) = run_trials([spec], device="cpu")
        assert record.status == "finished"
        rows = [row for key, row in record.history.items() if key.startswith("loss/")]
        assert len(rows) == len(OBJECTIVES[name].losses)
        assert all(value is not None for row in rows for value in row)


@each
def test_specs_come_back_from_text(name: str) -> None:
    """From JSON and YAML, with each hyperparameter at its default and elsewhere."""
    plain = trial(name)
    for spec in (plain, *(plain.with_fields(change) for change in others(name))):
        for text, read in ((spec.to_json(), TrialSpec.from_json), (spec.to_yaml(), None)):
            again = read(text) if read else TrialSpec.from_yaml(text)
            assert again == spec
            assert again.key == spec.key
    sweep = SweepSpec.from_document({"method": name})
    assert SweepSpec.from_json(sweep.to_json()) == sweep


def others(name: str) -> list[dict[str, Any]]:
    """For each hyperparameter another value that it takes."""
    changes = []
    for param in OBJECTIVES[name].params:
        if param.kind is bool:
            value: Any = not param.default
        elif param.kind in (float, int):
            value = param.kind(param.default / 2) or 0.25
        else:
            value = next(v for v in param.kind.__args__ if v != param.default)
        changes.append({f"objective.{param.name}": value})
    return changes


@pytest.mark.parametrize(
    ("name", "option"),
    [(n, c) for n in OBJECTIVES for c in others(n)],
    ids=lambda v: v if isinstance(v, str) else next(iter(v)),
)
def test_every_option_matters(name: str, option: dict[str, Any]) -> None:
    """Another value of any hyperparameter gives another result."""
    spec, record = pack(name)[0][2], pack(name)[1][2]
    (changed,) = run_trials([spec.with_fields(option)], device="cpu")
    assert changed.status == "finished"
    assert changed.history["loss/prediction"] != pytest.approx(
        record.history["loss/prediction"], rel=1e-6
    )


@pytest.mark.parametrize("name", [n for n, row in OBJECTIVES.items() if row.classes])
def test_an_objective_of_classes_refuses_a_continuous_y(name: str) -> None:
    """By its name, before anything is run."""
    with pytest.raises(SpecError, match=f"`{name}` needs classes; data set `gaussian` has a cont"):
        trial(name, "gaussian", samples=500)
