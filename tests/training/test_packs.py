"""The result of a trial does not depend on the other trials of its pack."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from paretoib.data._dataset import Split
from paretoib.data._load import load_dataset
from paretoib.records import TrialRecord
from paretoib.specs import TrialSpec
from paretoib.training._pack import Pack
from paretoib.training._run import run_trials
from paretoib.training._stack import SingleModel, StackedModels

Trial = Callable[..., TrialSpec]
PackOf = Callable[..., Pack]
AssertSame = Callable[..., None]

EPOCHS = 6  # with 9 steps each: 54 steps

KINDS: dict[str, dict[str, Any]] = {
    "linear weights": {"method": "vib"},
    "squared": {"method": "vib_squared"},
    "mib": {"method": "mib"},
    "mib, latent gradients": {"method": "mib", "gradient": "latent"},
    "mib, all parameters": {"method": "mib", "over": "all", "normalise": "loss"},
    "mgda": {"method": "mgda", "solver": "frank_wolfe"},
    "clipped, decaying": {"method": "mib", "clip_norm": 0.5, "schedule": "exponential"},
    "plateau": {"method": "vib", "schedule": "plateau", "patience": 1, "decay": 0.5},
    "no noise": {"method": "deterministic"},
    **{name: {"method": name} for name in ("unit_sum", "upgrad", "cagrad", "aligned_mtl", "epo")},
    **{name: {"method": name} for name in ("famo", "dwa", "random")},
}


def varied(trial: Trial, kind: dict[str, Any], i: int) -> TrialSpec:
    """The i-th trial; trials differ in all fields that may differ within a pack."""
    fields: dict[str, Any] = {
        "seed": i % 5,
        "learning_rate": (1e-3, 3e-3, 1e-3, 2e-2)[i % 4],
        "initial_scale": (1.0, 0.5, 2.0)[i // 2 % 3],
    }
    if kind["method"] != "deterministic":
        fields |= {"prior_width": (1.0, 0.5, 2.0)[i % 3], "initial_noise": (0.01, 0.3)[i % 2]}
    if kind["method"].startswith("vib"):
        fields["beta"] = (1e-3, 0.1, 0.3, 0.5, 1e-5)[i % 5]
    if kind["method"] == "epo":
        fields["preference"] = (0.5, 0.9, 0.1)[i % 3]
    if kind["method"] == "mib":
        fields |= {"mu": (0.2, 5.0, 50.0)[i % 3], "sqrted": i % 2}
    return trial(**{"epochs": EPOCHS} | kind | fields)


def assert_same_record(assert_same: AssertSame, left: TrialRecord, right: TrialRecord) -> None:
    """Histories and metrics agree within 1e-4."""
    assert left.trial == right.trial
    assert left.status == right.status == "finished"
    assert_same(left.history, right.history, rel=1e-4)
    for split in ("validation", "test"):
        numbers = [getattr(record, split).model_dump() for record in (left, right)]
        assert_same(*numbers, rel=1e-4)


@pytest.mark.parametrize("kind", ["linear weights", "mib"])
def test_a_trial_has_the_same_record_in_packs_of_any_size(
    trial: Trial, assert_same: AssertSame, kind: str
) -> None:
    """After 54 steps a trial has the same record in packs of 1, 2, 7 and 32 trials."""
    specs = [varied(trial, KINDS[kind], i) for i in range(32)]
    together = run_trials(specs, device="cpu")
    for size in (1, 2, 7):
        for packed, record in zip(run_trials(specs[:size], device="cpu"), together, strict=False):
            assert_same_record(assert_same, packed, record)
    assert_same_record(assert_same, run_trials(specs[31:], device="cpu")[0], together[31])


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("linear weights", "mib")])
def test_a_trial_has_the_same_record_for_every_weighting_and_schedule(
    trial: Trial, assert_same: AssertSame, kind: str
) -> None:
    """Each trial has the same record alone and in a pack of 4."""
    specs = [varied(trial, KINDS[kind] | {"subset": 0.3}, i) for i in range(4)]
    for spec, packed in zip(specs, run_trials(specs, device="cpu"), strict=True):
        assert_same_record(assert_same, run_trials([spec], device="cpu")[0], packed)


def test_gaussian_trials_have_the_same_record_alone_and_in_a_pack(
    trial: Trial, assert_same: AssertSame
) -> None:
    """Trials with a linear encoder and a Gaussian decoder have equal records alone and packed."""
    specs = [
        trial(
            data="gaussian", samples=1500, batch_size=100, epochs=6, beta=b, seed=s, initial_noise=n
        )
        for b, s, n in [(0.01, 0, 0.7), (0.3, 1, 0.1), (0.8, 0, 2.0), (1e-4, 2, 0.7)]
    ]
    packed = run_trials(specs, device="cpu")
    for spec, record in zip(specs, packed, strict=True):
        assert_same_record(assert_same, run_trials([spec], device="cpu")[0], record)


def test_the_order_of_a_pack_does_not_matter(trial: Trial, assert_same: AssertSame) -> None:
    """Records are returned in the order of the specs, and this order does not change a record."""
    specs = [varied(trial, KINDS["mib"], i) for i in range(6)]
    shuffled = [specs[i] for i in (4, 0, 5, 2, 1, 3)]
    in_order = {r.trial: r for r in run_trials(specs, device="cpu")}
    records = run_trials(shuffled, device="cpu")
    assert [r.trial for r in records] == [s.key for s in shuffled]
    for record in records:
        assert_same_record(assert_same, record, in_order[record.trial])


def test_every_varied_field_changes_the_result(trial: Trial) -> None:
    """Each field changes the loss, so the tests above detect values that trials wrongly share."""
    base = trial("mib", epochs=1)
    changed = {
        "seed": 1,
        "learning_rate": 1e-2,
        "initial_scale": 2.0,
        "initial_noise": 0.3,
        "prior_width": 2.0,
        "mu": 50.0,
        "sqrted": 0,
    }
    specs = [base, *(base.with_fields({k: v}) for k, v in changed.items())]
    results = {record.history["loss/compression"] for record in run_trials(specs, device="cpu")}
    assert len(results) == len(specs)


def running_statistics(pack: Pack, trial: int) -> dict[str, Tensor]:
    """The batch norm buffers of a trial."""
    if isinstance(pack.stack, SingleModel):
        return dict(pack.stack.model.encoder.named_buffers())
    assert isinstance(pack.stack, StackedModels)
    return {name: rows[trial] for name, rows in pack.stack._encoder[1].items()}


@pytest.mark.parametrize("method", ["vib", "mib"])
def test_batch_norm_is_the_same_alone_and_in_packs(
    trial: Trial, pack_of: PackOf, assert_same: AssertSame, tiny_conv: str, method: str
) -> None:
    """Losses after 54 steps and batch norm's running statistics do not depend on the pack."""
    kind = {"method": method, "model": tiny_conv}
    specs = [varied(trial, kind, i) for i in range(32)]
    together = run_trials(specs, device="cpu")
    for size in (1, 2, 7):
        records = run_trials(specs[:size], device="cpu")
        for packed, record in zip(records, together, strict=False):
            assert_same_record(assert_same, packed, record)
    by_learning_rate = sorted(specs[:7], key=lambda s: s.training.learning_rate)
    seven, alone = pack_of(by_learning_rate), pack_of(by_learning_rate[4:5])
    for pack in (seven, alone):
        pack.train()
    actual, expected = running_statistics(seven, 4), running_statistics(alone, 0)
    assert actual.keys() == expected.keys()
    assert expected["features.1.num_batches_tracked"] == 54
    for name in expected:
        torch.testing.assert_close(actual[name], expected[name], rtol=1e-4, atol=1e-6)


def test_measuring_does_not_change_batch_norm(
    trial: Trial, pack_of: PackOf, tiny_conv: str
) -> None:
    """The measurement of a pack uses the running statistics and does not update them."""
    pack = pack_of([trial(model=tiny_conv, epochs=1, seed=s) for s in (0, 1)])
    pack.train()
    before = {k: v.clone() for k, v in running_statistics(pack, 1).items()}
    pack.measure()
    for name, value in running_statistics(pack, 1).items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


@pytest.fixture
def double_precision() -> Iterator[None]:
    """Build models in double precision during one test."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double_precision")
def test_resnets_are_the_same_alone_and_in_packs(trial: Trial) -> None:
    """The losses of ResNet-18 with the CIFAR stem agree alone and in a pack, over three steps.

    The test uses double precision. In single precision Adam makes full steps for gradients that
    are only rounding errors, and twenty layers of batch norm amplify this to 5e-4 in three steps.
    """
    fields = {"subset": 0.03, "batch_size": 8, "stem": "cifar"}
    specs = [trial("mib", model="resnet18", seed=s, sqrted=s, **fields) for s in (0, 1)]
    dataset = load_dataset("digits", specs[0].data.params)
    dataset = replace(dataset, train=Split(dataset.train.x.double(), dataset.train.y))
    losses = []
    for trials in (specs, specs[:1], specs[1:]):
        pack = Pack(trials, dataset, torch.device("cpu"))
        pack.stack.train(True)
        batches = pack.batches.epoch()
        losses.append(torch.stack([pack.step(next(batches)).losses for _ in range(3)]))
    torch.testing.assert_close(losses[0], torch.cat(losses[1:], dim=1), rtol=1e-9, atol=0)


def test_training_does_not_change_the_cached_data(trial: Trial) -> None:
    """Training does not change the data set, whose tensors all trials of a process use."""
    spec = trial(epochs=1)
    cached = load_dataset(spec.data.name, spec.data.params)
    before = cached.train.x.clone()
    run_trials([spec, spec.with_fields({"seed": 1})], device="cpu")
    assert torch.equal(cached.train.x, before)
