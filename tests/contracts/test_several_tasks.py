"""Contract of objectives, weightings, packs and the ruler for several tasks."""

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
# All combinations of objective and weighting that support several tasks.
PAIRS = [
    (name, weighting)
    for name, objective in OBJECTIVES.items()
    for weighting, entry in WEIGHTINGS.items()
    if objective.several_tasks
    and entry.losses[0]
    <= len(objective.losses_of(TASKS if entry.each_task else ()))
    <= entry.losses[1]
]

Trial = Callable[..., TrialSpec]


@pytest.fixture
def trial(two_tasks: str) -> Trial:
    """`trial(method)` returns a small trial of a method on two tasks.

    `objective`, `weighting` and fields of the trial can be replaced.
    """

    def make(method: str = "vib", seed: int = 0, **fields: Any) -> TrialSpec:
        small: dict[str, Any] = {
            "hidden": [16],
            "latent": 4,
            "epochs": 2,
            "subset": 0.3,
        }
        entry = METHODS[method]
        model = entry.model or OBJECTIVES[entry.objective].model or "mlp"
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
def test_every_objective_trains_with_every_weighting(
    trial: Trial, name: str, weighting: str
) -> None:
    """In the first step of two trials, losses and gradients are finite.

    The gradient of each trial's encoder is not zero. The first losses are one prediction loss per
    task.
    """
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
        *(("vib", {"weighting": w}) for w in ("upgrad", "cagrad", "famo", "dwa", "random")),
        ("det", {"weighting": "uncertainty"}),
        ("imb_joint", {"weighting": "uncertainty", "draws": 2}),
        ("imb_greedy", {"draws": 2}),
    ],
)
def test_a_trial_does_not_depend_on_its_pack(
    trial: Trial, method: str, fields: dict[str, Any]
) -> None:
    """Alone and in a pack, a trial has the same history and the same metrics of each task."""
    training = {"learning_rate": 3e-3, "batch_size": 100}
    specs = [trial(method, seed, **fields, **training) for seed in (0, 1)]
    if method == "gs":
        specs[0] = specs[0].with_fields({"task_weights": [1.9, 0.1]})
    packed = run_trials(specs, device="cpu")[1]
    (alone,) = run_trials(specs[1:], device="cpu")
    assert packed.history.keys() == alone.history.keys()
    for name, values in alone.history.items():
        assert packed.history[name] == pytest.approx(values, rel=1e-4, abs=1e-5), name
    assert flat_metrics(packed) == pytest.approx(flat_metrics(alone), rel=1e-4, abs=1e-5)


def flat_metrics(record: TrialRecord) -> dict[str, float]:
    """All metrics on the test split; keys are NAME, or TASK/NAME for a task. −1 stands for None."""
    assert record.test is not None
    document = record.test.model_dump()
    tasks = document.pop("tasks")
    flat = {f"{task}/{k}": v for task, metrics in tasks.items() for k, v in metrics.items()}
    return {k: -1.0 if v is None else v for k, v in (document | flat).items()}


def test_metrics_of_tasks_are_summed_or_averaged(trial: Trial) -> None:
    """A trial's relevance, ceiling, lost bits and cross-entropies are sums over its tasks.

    Accuracies and the label probability are averages over the tasks. The ceiling of task k is
    H(Y_k) of the test split.
    """
    spec = trial("mtvib", beta=1e-3, learning_rate=5e-3, batch_size=50, epochs=20)
    record = run_trials([spec], device="cpu")[0]
    metrics = record.test
    assert isinstance(metrics, Metrics)
    assert tuple(metrics.tasks) == TASKS
    labels = load_dataset(spec.data.name, spec.data.params).test.y
    for task, column in zip(TASKS, labels.unbind(1), strict=True):
        shares = torch.bincount(column).double() / len(column)
        entropy = float(-(shares * shares.log2()).sum())
        task_metrics = metrics.tasks[task]
        assert task_metrics.ceiling_bits == pytest.approx(entropy)
        assert task_metrics.relevance_bits == pytest.approx(
            entropy - task_metrics.cross_entropy_bits
        )
        assert task_metrics.lost_bits == pytest.approx(task_metrics.cross_entropy_bits)
    per_task = list(metrics.tasks.values())
    summed = ("relevance_bits", "ceiling_bits", "lost_bits", "cross_entropy_bits")
    for name in (*summed, "prediction_cross_entropy_bits"):
        assert getattr(metrics, name) == pytest.approx(sum(getattr(t, name) for t in per_task))
    for name in ("accuracy", "accuracy_sampled", "accuracy_one_sample", "label_probability"):
        assert getattr(metrics, name) == pytest.approx(sum(getattr(t, name) for t in per_task) / 2)
    assert TaskMetrics(**per_task[0].model_dump()) == per_task[0]
    assert metrics.accuracy is not None
    assert metrics.accuracy > 0.7
    for name in ("relevance_bits", "accuracy"):
        assert len(record.history[f"large/{name}"]) == 20


def test_a_selected_task_is_measured_as_the_only_label(trial: Trial) -> None:
    """If `task` selects a task, the data set has one label and the record has no task metrics."""
    spec = trial("stvib", task="digit")
    record = run_trials([spec], device="cpu")[0]
    assert spec.tasks == ()
    assert "loss/prediction" in record.history
    assert record.test is not None
    assert record.test.tasks == {}
    assert record.test.ceiling_bits == pytest.approx(math.log2(10), abs=0.02)


@pytest.mark.parametrize(("method", "ordinary"), [("stvib", "vib"), ("stl", "deterministic")])
def test_single_task_methods_equal_ordinary_methods(
    trial: Trial, method: str, ordinary: str
) -> None:
    """`stvib` equals `vib`, and `stl` equals `deterministic`, except for two defaults.

    These two, batch size and learning rate, have the values of mtvib.
    """
    fields = {"task": "digit", "batch_size": 200, "learning_rate": 1e-4}
    single = trial(method, task="digit")
    assert single == trial(ordinary, **fields)
    assert single.training.batch_size == 200


def test_fixed_weights_of_one_train_the_sum_of_the_losses(trial: Trial) -> None:
    """`gs` with weights (1, 1) has the same losses as weighting `none`."""
    fixed, plain = (
        run_trials([trial("gs", learning_rate=3e-3, **fields)], device="cpu")[0]
        for fields in ({"task_weights": [1, 1]}, {"weighting": "none"})
    )
    for task in TASKS:
        key = f"loss/prediction/{task}"
        assert fixed.history[key] == pytest.approx(plain.history[key], rel=1e-5)


@pytest.mark.parametrize("task", ["all", "digit"])
def test_learned_weights_end_at_half_the_inverse_loss(trial: Trial, task: str) -> None:
    """With fixed model parameters, the weights 1/σ_k² converge to 1/(2 L_k).

    L_k is the loss of task k. This is the optimum of mtvib eq. 14, also for a single task.
    """
    spec = trial("uwl", task=task, learning_rate=0.05, batch_size=2000)
    pack = pack_of(spec)
    initial = [p.detach().clone() for p in pack.stack.parameters]
    for _ in range(600):
        pack.step(next(pack.batches.epoch()))
        for parameter, start in list(zip(pack.stack.parameters, initial, strict=True))[:-1]:
            parameter.detach().copy_(start)
    step = pack.gradients(next(pack.batches.epoch()))
    torch.testing.assert_close(step.weights.step, 0.5 / step.losses, rtol=1e-3, atol=0)


def test_learned_weights_are_in_a_checkpoint(trial: Trial) -> None:
    """A checkpoint has the learned weights, so that a resumed pack continues with them.

    The resumed pack ends in the same state as an uninterrupted pack.
    """
    spec = trial("mtvib", learning_rate=0.05, epochs=4)
    uninterrupted, interrupted = pack_of(spec), pack_of(spec)
    uninterrupted.train()
    interrupted.train_epoch()
    interrupted.train_epoch()
    resumed = pack_of(spec)
    resumed.load({k: v.clone() for k, v in interrupted.state().items()}, 2)
    resumed.train()
    assert "stack/weighting.log_variance" in resumed.state()
    for name, expected in uninterrupted.state().items():
        torch.testing.assert_close(resumed.state()[name], expected, equal_nan=True)


def test_mib_weighs_three_losses_on_the_simplex(trial: Trial) -> None:
    """MIB's min-norm weights of two prediction losses and of compression are ≥ 0 and sum to 1."""
    (record,) = run_trials([trial("mib", learning_rate=3e-3, epochs=3)], device="cpu")
    names = ("prediction/digit", "prediction/large", "compression")
    histories = [record.history[f"weight/{name}"] for name in names]
    for epoch in zip(*histories, strict=True):
        weights = [w for w in epoch if w is not None]
        assert sum(weights) == pytest.approx(1, abs=1e-5)
        assert min(weights) >= 0
    assert {f"{kind}/{n}" for kind in ("alpha", "loss") for n in names} <= record.history.keys()
