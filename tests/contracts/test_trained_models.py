"""Contract of model files: every objective and every model is measured again from its file."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from paretoib.data import DATASETS, DatasetEntry
from paretoib.data._dataset import Dataset, Split
from paretoib.data._load import load_dataset
from paretoib.distributions import by_task
from paretoib.models import MODELS
from paretoib.objectives import OBJECTIVES
from paretoib.records import TrialRecord
from paretoib.specs import TrialSpec
from paretoib.trained import TrainedModel, read_model
from paretoib.training._measure import SAMPLES
from paretoib.training._run import run_trials

from .test_objective_trials import trial

SMALL: dict[str, dict[str, Any]] = {
    "cnn": {"channels": (4, 6, 8, 10)},
    "mtvib_cnn": {"hidden": (16, 12)},
    "resnet18": {"stem": "imagenet"},
}
FEW: dict[str, Any] = {"subset": 0.1, "batch_size": 50, "epochs": 2, "learning_rate": 1e-2}


def load_images(*, folder: Path) -> Dataset:  # noqa: ARG001
    """Random images (1, 20, 20) of ten classes, large enough for every network."""
    generator = torch.Generator().manual_seed(0)

    def split(count: int) -> Split:
        y = torch.arange(count) % 10
        return Split(torch.rand(count, 1, 20, 20, generator=generator) + y.view(-1, 1, 1, 1) / 5, y)

    return Dataset("images", split(40), split(20), split(30), classes=10)


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a data set of larger images, registered for one test."""
    monkeypatch.setitem(DATASETS, "images", DatasetEntry(f"{__name__}:load_images", "random"))
    return "images"


def train(specs: Sequence[TrialSpec]) -> list[tuple[TrialRecord, TrainedModel]]:
    """The trials of a pack, each with the model that is loaded from its file."""
    files: dict[str, bytes] = {}

    def keep(records: Sequence[TrialRecord], size: int, content: Callable[[str], bytes]) -> None:
        files.update((record.trial, content(record.trial)) for record in records)
        assert all(size < len(file) < size + 10_000 for file in files.values())

    records = run_trials(specs, device="cpu", on_models=keep)
    return [(record, read_model(files[record.trial])) for record in records]


def check_measurements(record: TrialRecord, model: TrainedModel) -> None:
    """Measure the model on the test split, and compare the results with the record."""
    data = load_dataset(record.spec["data"]["name"], _params(record.spec["data"]))
    x, y, test = data.test.x, data.test.y, record.test
    assert test is not None
    draw = partial(model, samples=1, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        if data.classes is not None:
            at_mean = model.predict(x)
            sampled = model.predict(x, samples=SAMPLES, generator=torch.Generator().manual_seed(0))
            within = 1.01 / len(x)  # one example may change its class by rounding
            assert accuracy(at_mean, y) == pytest.approx(test.accuracy, abs=within)
            assert accuracy(sampled, y) == pytest.approx(test.accuracy_sampled, abs=within)
            for probabilities in as_tuple(at_mean) + as_tuple(sampled):
                torch.testing.assert_close(probabilities.sum(-1), torch.ones(len(x)))
        if data.classes is None or model.noise == "categorical":
            generator = torch.Generator().manual_seed(0)
            raw = model.encoder(x)
            nats = []
            for _ in range(SAMPLES):
                noise = torch.randn(len(x), model.head.noise, generator=generator)
                predictions = by_task(model.head(raw, noise).prediction, y)
                nats.append(sum(q.nll(target).mean() for q, target in predictions))
        else:
            nats = [cross_entropy(draw(x), y) for _ in range(SAMPLES)]
    bits = float(torch.stack(nats).mean()) / math.log(2)
    assert bits == pytest.approx(test.cross_entropy_bits, rel=1e-4)


def _params(section: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in section.items() if name != "name"}


def as_tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def accuracy(probabilities: Tensor | tuple[Tensor, ...], y: Tensor) -> float:
    """The accuracy, averaged over the tasks."""
    labels = y.unbind(1) if y.ndim == 2 else (y,)
    pairs = zip(as_tuple(probabilities), labels, strict=True)
    return float(torch.stack([(p.argmax(-1) == t).double().mean() for p, t in pairs]).mean())


def cross_entropy(log_probabilities: Tensor | tuple[Tensor, ...], y: Tensor) -> Tensor:
    """The cross-entropy in nats, summed over the tasks."""
    labels = y.unbind(1) if y.ndim == 2 else (y,)
    pairs = zip(as_tuple(log_probabilities), labels, strict=True)
    return sum((-q.gather(-1, t.unsqueeze(-1)).mean() for q, t in pairs), torch.zeros(()))


def check_interface(model: TrainedModel) -> None:
    """Shapes, gradients and modes of a model, whatever its noise is."""
    low, high = model.input_range
    x = (torch.rand(3, *model.shape) * (high - low) + low).requires_grad_()
    latent = model.header.spec["model"]["latent"]
    mean, scale = model.encode(x)
    z = model.sample(x)
    assert mean.shape == z.shape == (3, latent)
    if model.noise in ("bernoulli", "categorical"):
        assert scale is None
        assert ((mean >= 0) & (mean <= 1)).all()
        assert ((z.detach() - z.detach().round()).abs() < 1e-6).all()
    else:
        assert scale is not None
        assert (scale > 0).all() == (model.noise != "none")
    for output in (mean, z, *as_tuple(model(x, samples=2)), *as_tuple(model.predict(x))):
        (gradient,) = torch.autograd.grad(output.square().sum(), x, retain_graph=True)
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0
    check_modes(model, x.detach())


def check_modes(model: TrainedModel, x: Tensor) -> None:
    """Training mode switches no noise: `predict` stays deterministic, `sample` stays random."""
    model.train()
    for module in model.modules():  # batch norm and dropout may change the results
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) or hasattr(module, "share"):
            module.eval()
    with torch.no_grad():
        before = as_tuple(model.predict(x))
        again = as_tuple(model.predict(x))
        samples = torch.stack([model.sample(x) for _ in range(30)])
        mean, _ = model.encode(x)
        model.eval()
        for p, q, r in zip(before, again, as_tuple(model.predict(x)), strict=True):
            assert torch.equal(p, q)
            assert torch.equal(p, r)
        assert torch.equal(mean, model.encode(x)[0])
    assert (samples.std(0) > 0).any() == (model.noise != "none")


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_model_of_every_objective_has_the_measured_values(name: str) -> None:
    """A model from a pack of two, and one that was trained alone, have the values of the record."""
    specs = [trial(name, **FEW, seed=seed) for seed in (0, 1)]
    if name == "categorical":
        specs = [spec.with_fields({"optimal_decoder": True}) for spec in specs]
    packed = train(specs)
    ((record, model),) = train(specs[:1])
    for pair in (*packed, (record, model)):
        check_measurements(*pair)
    check_interface(model)
    state = packed[0][1].state_dict()
    assert state.keys() == model.state_dict().keys()
    assert all(torch.allclose(t, state[k], atol=1e-4) for k, t in model.state_dict().items())


def test_parameters_of_objectives_are_in_the_file() -> None:
    """The file has ceb's b(z|y), the prior of binary layers and the table of a categorical code."""
    names = {
        "ceb": {"head.objective_parameters.mean", "head.objective_parameters.log_width"},
        "imb_joint": {"head.prior.0", "head.prior.1"},
        "categorical": {"head.table"},
    }
    for name, expected in names.items():
        options = {"optimal_decoder": True} if name == "categorical" else {}
        ((_, model),) = train([trial(name, **FEW, **options)])
        state = model.state_dict()
        assert expected <= state.keys()
        assert all(state[key].abs().sum() > 0 for key in expected)
        assert not any(key.startswith("weighting") for key in state)


@pytest.mark.parametrize("name", [name for name in MODELS if not MODELS[name].local])
def test_every_model_has_the_measured_values(name: str, images: str) -> None:
    """Every network, with its batch norm, dropout and decoder, has the values of the record."""
    sigmoid = MODELS[name].sigmoid
    spec = TrialSpec.from_document(
        {
            "data": images,
            "model": {"name": name, "latent": 4, **SMALL.get(name, {})},
            "objective": {"name": "imb_joint", "draws": 2} if sigmoid else "vib",
            "weighting": "linear",
            "training": {"epochs": 1, "batch_size": 20},
        }
    )
    if "dropout" in spec.model.params:
        spec = spec.with_fields({"dropout": 0.3})
    ((record, model),) = train([spec])
    check_measurements(record, model)
    check_interface(model)


def test_averaged_weights_are_in_the_file() -> None:
    """If the average of the weights is measured, the file has the average, in packs of any size."""
    for seeds in ((0,), (0, 1)):
        for spec in (trial("vib"), trial("categorical", optimal_decoder=True)):
            fields = {**FEW, "weight_average": 0.9}
            pairs = train([spec.with_fields({**fields, "seed": seed}) for seed in seeds])
            for record, model in pairs:
                check_measurements(record, model)


@pytest.mark.parametrize("name", ["vib", "ceb", "deterministic", "imb_joint"])
def test_a_model_of_several_tasks_predicts_each_task(name: str, two_tasks: str) -> None:
    """`predict` returns one tensor for each task."""
    spec = trial(name, **FEW)
    document = spec.document
    document["data"]["name"] = two_tasks
    ((record, model),) = train([TrialSpec.from_document(document)])
    assert model.tasks == ("digit", "large")
    assert [p.shape for p in model.predict(torch.rand(3, 1, 8, 8))] == [(3, 10), (3, 2)]
    check_measurements(record, model)
    check_interface(model)


@pytest.mark.parametrize("name", ["vib", "l2", "deterministic"])
def test_a_model_of_a_continuous_y_predicts_its_mean(name: str) -> None:
    """`predict` returns the mean of q(y|z), and so does a call of the model."""
    spec = trial(name, "gaussian", samples=500, epochs=1, batch_size=50)
    ((record, model),) = train([spec])
    x = torch.randn(3, 8)
    assert model.predict(x).shape == (3, 4)
    assert torch.equal(model.predict(x), model(x))
    assert model.predict(x, samples=5).shape == (3, 4)
    check_measurements(record, model)
    check_interface(model)
