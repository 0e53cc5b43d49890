"""What objectives, weightings, packs and the ruler guarantee where Y is several tasks."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from paretoib.data._load import load_dataset
from paretoib.objectives import OBJECTIVES
from paretoib.records import Metrics, TaskMetrics, TrialRecord
from paretoib.specs import METHODS, TrialSpec, with_overrides
from paretoib.training._pack import Pack
from paretoib.training._run import run_trials
from paretoib.weighting import WEIGHTINGS

CPU = torch.device("cpu")
TASKS = ("digit", "large")
# What combines, of all objectives and weightings.
PAIRS = [
    (name, weighting)
    for name, row in OBJECTIVES.items()
    for weighting, way in WEIGHTINGS.items()
    if row.several_tasks
    and way.losses[0] <= len(row.losses_of(TASKS if way.each_task else ())) <= way.losses[1]
]

Trial = Callable[..., TrialSpec]


@pytest.fixture
def trial(two_tasks: str) -> Trial:
    """A small trial of a method or of sections, on the data set of two tasks."""

    def make(method: str = "vib", seed: int = 0, **fields: Any) -> TrialSpec:
        small: dict[str, Any] = {
            "hidden": [16],
            "latent": 4,
            "epochs": 2,
            "subset": 0.3,
        }
        row = METHODS[method]
        model = row.model or OBJECTIVES[row.objective].model or "mlp"
        small |= {"initial_scale": 8.0} if model == "sigmoid" else {"initial_noise": 0.5}
        sections = {k: fields.pop(k) for k in ("objective", "weighting") if k in fields}
        document = {"method": method, "data": two_tasks, "model": model}
        template = with_overrides(document, small).template
        whole = {**template.document, **sections, "seed": seed}
        return TrialSpec.from_document(whole).with_fields(fields)

    return make


def pack_of(*specs: TrialSpec) -> Pack:
    return Pack(specs, load_dataset(specs[0].data.name, specs[0].data.params), CPU)


@pytest.mark.parametrize(("name", "weighting"), PAIRS)
def test_every_pair_trains(trial: Trial, name: str, weighting: str) -> None:
    """One finite loss a task, then the others; a step of two trials moves both encoders."""
    specs = [trial(objective=name, weighting=weighting, seed=s) for s in (0, 1)]
    pack = pack_of(*specs)
    pack.stack.train(True)
    step = pack.step(next(pack.batches.epoch()))
    names = OBJECTIVES[name].losses_of(TASKS)
    assert names[:2] == ("prediction/digit", "prediction/large")
    assert step.losses.shape == (2, len(names))
    assert step.losses.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in step.gradients)
    shared = [g.flatten(1) for g in step.gradients[: pack.stack.shared_count]]
    assert (torch.cat(shared, dim=1).norm(dim=1) > 0).all()


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("mtvib", {}),
        ("uwl", {}),
        ("gs", {"task_weights": [0.5, 1.5]}),
        ("mib", {}),
        ("mib", {"objective": "ceb"}),
        ("vib", {"weighting": "smooth_chebyshev"}),
        ("det", {"weighting": "uncertainty"}),
        ("imb_joint", {"weighting": "uncertainty", "draws": 2}),
        ("imb_greedy", {"draws": 2}),
    ],
)
def test_a_trial_does_not_depend_on_its_pack(
    trial: Trial, method: str, fields: dict[str, Any]
) -> None:
    """Each task's losses, weights and metrics are those had alone."""
    rates = {"learning_rate": 3e-3, "batch_size": 100}
    specs = [trial(method, seed, **fields, **rates) for seed in (0, 1)]
    if method == "gs":
        specs[0] = specs[0].with_fields({"task_weights": [1.9, 0.1]})
    packed = run_trials(specs, device="cpu")[1]
    (alone,) = run_trials(specs[1:], device="cpu")
    assert packed.history.keys() == alone.history.keys()
    for name, row in alone.history.items():
        assert packed.history[name] == pytest.approx(row, rel=1e-4, abs=1e-5), name
    assert told(packed) == pytest.approx(told(alone), rel=1e-4, abs=1e-5)


def told(record: TrialRecord) -> dict[str, float]:
    """All numbers of the test split by one name each."""
    assert record.test is not None
    document = record.test.model_dump()
    tasks = document.pop("tasks")
    flat = {f"{task}/{k}": v for task, of_task in tasks.items() for k, v in of_task.items()}
    return {k: -1.0 if v is None else v for k, v in (document | flat).items()}


def test_the_ruler_sums_tasks_and_has_each(trial: Trial) -> None:
    """H(Y_k) of the split's own labels; bits add up, and accuracies are averaged."""
    spec = trial("mtvib", beta=1e-3, learning_rate=5e-3, batch_size=50, epochs=20)
    record = run_trials([spec], device="cpu")[0]
    metrics = record.test
    assert isinstance(metrics, Metrics)
    assert tuple(metrics.tasks) == TASKS
    labels = load_dataset(spec.data.name, spec.data.params).test.y
    for task, column in zip(TASKS, labels.unbind(1), strict=True):
        shares = torch.bincount(column).double() / len(column)
        entropy = float(-(shares * shares.log2()).sum())
        of_task = metrics.tasks[task]
        assert of_task.ceiling_bits == pytest.approx(entropy)
        assert of_task.relevance_bits == pytest.approx(entropy - of_task.cross_entropy_bits)
        assert of_task.lost_bits == pytest.approx(of_task.cross_entropy_bits)
    each = list(metrics.tasks.values())
    for name in ("relevance_bits", "ceiling_bits", "lost_bits", "cross_entropy_bits"):
        assert getattr(metrics, name) == pytest.approx(sum(getattr(t, name) for t in each))
    for name in ("accuracy", "accuracy_sampled"):
        assert getattr(metrics, name) == pytest.approx(sum(getattr(t, name) for t in each) / 2)
    assert TaskMetrics(**each[0].model_dump()) == each[0]
    assert metrics.accuracy is not None
    assert metrics.accuracy > 0.7
    for name in ("relevance_bits", "accuracy"):
        assert len(record.history[f"large/{name}"]) == 20


def test_a_task_alone_is_measured_as_ever(trial: Trial) -> None:
    """With `task` one of them the data set has one label, and a record no tasks."""
    spec = trial("stvib", task="digit")
    record = run_trials([spec], device="cpu")[0]
    assert spec.tasks == ()
    assert "loss/prediction" in record.history
    assert record.test is not None
    assert record.test.tasks == {}
    assert record.test.ceiling_bits == pytest.approx(math.log2(10), abs=0.02)


@pytest.mark.parametrize(("method", "same"), [("stvib", "vib"), ("stl", "deterministic")])
def test_a_task_alone_is_trained_as_any_label(trial: Trial, method: str, same: str) -> None:
    """mtvib's single-task systems are these methods, with its batches and its learning rate."""
    fields = {"task": "digit", "batch_size": 200, "learning_rate": 1e-4}
    one = trial(method, task="digit")
    assert one == trial(same, **fields)
    assert one.training.batch_size == 200


def test_fixed_weights_of_one_are_no_weights(trial: Trial) -> None:
    """`gs` at (1, 1) trains as the sum of the tasks' losses does."""
    fixed, plain = (
        run_trials([trial("gs", learning_rate=3e-3, **fields)], device="cpu")[0]
        for fields in ({"task_weights": [1, 1]}, {"weighting": "none"})
    )
    for task in TASKS:
        row = f"loss/prediction/{task}"
        assert fixed.history[row] == pytest.approx(plain.history[row], rel=1e-5)


@pytest.mark.parametrize("task", ["all", "digit"])
def test_learned_weights_end_at_half_the_inverse_loss(trial: Trial, task: str) -> None:
    """With a model that stands still (no scale, no rate): 1/σ_k² = 1/(2 L_k), eq. 14's optimum.

    Of one task too, where it is the learning rate of the one loss that is learned.
    """
    spec = trial("uwl", task=task, learning_rate=0.05, batch_size=2000)
    pack = pack_of(spec)
    held = [p.detach().clone() for p in pack.stack.parameters]
    for _ in range(600):
        pack.step(next(pack.batches.epoch()))
        for parameter, start in list(zip(pack.stack.parameters, held, strict=True))[:-1]:
            parameter.detach().copy_(start)
    step = pack.gradients(next(pack.batches.epoch()))
    torch.testing.assert_close(step.weights.step, 0.5 / step.losses, rtol=1e-3, atol=0)


def test_learned_weights_are_in_a_checkpoint(trial: Trial) -> None:
    """A pack goes on from its state to the same numbers; without it they would start anew."""
    spec = trial("mtvib", learning_rate=0.05, epochs=4)
    whole, halved = pack_of(spec), pack_of(spec)
    whole.train()
    halved.train_epoch()
    halved.train_epoch()
    rest = pack_of(spec)
    rest.load({k: v.clone() for k, v in halved.state().items()}, 2)
    rest.train()
    assert "stack/weighting.log_variance" in rest.state()
    for name, held in whole.state().items():
        torch.testing.assert_close(rest.state()[name], held, equal_nan=True)


def test_mib_weighs_three_losses_on_the_simplex(trial: Trial) -> None:
    """Both tasks and compression have their weight, and the weights add up to 1."""
    (record,) = run_trials([trial("mib", learning_rate=3e-3, epochs=3)], device="cpu")
    names = ("prediction/digit", "prediction/large", "compression")
    rows = [record.history[f"weight/{name}"] for name in names]
    for epoch in zip(*rows, strict=True):
        weights = [w for w in epoch if w is not None]
        assert sum(weights) == pytest.approx(1, abs=1e-5)
        assert min(weights) >= 0
    assert {f"{kind}/{n}" for kind in ("alpha", "loss") for n in names} <= record.history.keys()
