"""Pruning: trials that are stopped at a rung leave their pack."""

import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from paretoib.data._load import load_dataset
from paretoib.records import TrialRecord
from paretoib.specs import TrialSpec
from paretoib.training._pack import HISTORY_INPUTS, Pack
from paretoib.training._run import run_trials
from paretoib.training._rungs import RungResults, rung_epochs

Trial = Callable[..., TrialSpec]


def trials_of(trial: Trial, method: str = "mib", **fields: Any) -> list[TrialSpec]:
    """Six trials that differ in seed and learning rate."""
    varied = ((0, 1e-2), (0, 3e-3), (1, 1e-2), (1, 2e-2), (2, 1e-3), (3, 1e-2))
    fixed = {"epochs": 8, "initial_noise": 0.3, **fields}
    return [
        trial(method, seed=seed, learning_rate=learning_rate, **fixed)
        for seed, learning_rate in varied
    ]


class FixedPruner:
    """Stops the given trials at each rung and records its calls."""

    def __init__(self, stopped: Mapping[float, Collection[str]]) -> None:
        self.stopped = stopped
        self.calls: list[tuple[float, RungResults]] = []

    def __call__(self, share: float, results: RungResults) -> Collection[str]:
        self.calls.append((share, dict(results)))
        return self.stopped.get(share, ())


@pytest.mark.parametrize("method", ["mib", "vib"])
def test_pruning_does_not_change_the_other_trials(
    trial: Trial, assert_same: Callable[..., None], method: str
) -> None:
    """A stopped trial's history ends at its rung; the records of all other trials are the same."""
    plateau = {"schedule": "plateau", "patience": 1, "decay": 0.5} if method == "vib" else {}
    specs = trials_of(trial, method, **plateau)
    keys = [spec.key for spec in specs]
    pruner = FixedPruner({0.25: {keys[0], keys[3]}, 0.5: {keys[4]}})
    records = run_trials(specs, device="cpu", rungs=(0.25, 0.5), on_rung=pruner)
    unpruned = run_trials(specs, device="cpu")
    assert [r.trial for r in records] == keys
    for i, (record, expected) in enumerate(zip(records, unpruned, strict=True)):
        epochs = {0: 2, 3: 2, 4: 4}.get(i, 8)
        histories = {name: row[:epochs] for name, row in expected.history.items()}
        assert_same(record.history, histories, rel=1e-4)
        if epochs == 8:
            assert record.status == "finished"
            assert record.test is not None
            assert expected.test is not None
            assert_same(record.test.model_dump(), expected.test.model_dump(), rel=1e-4)
        else:
            assert record.status == "stopped"
            assert record.reason == f"dominated by others after {epochs} of 8 epochs"
            assert (record.validation, record.test) == (None, None)
            assert TrialRecord.from_json(record.to_json()) == record
    costs = [record.seconds for record in records]
    assert 0 < costs[0] == costs[3] < costs[4] < costs[1] == costs[2] == costs[5]


def test_a_rung_gets_the_results_of_each_trial(trial: Trial) -> None:
    """`on_rung` gets the rate and lost bits of the rung's epoch, for the trials still training."""
    specs = trials_of(trial)
    keys = [spec.key for spec in specs]
    pruner = FixedPruner({0.5: {keys[1]}})
    records = run_trials(specs, device="cpu", rungs=(0.75, 0.5), on_rung=pruner)
    dataset = load_dataset("digits", specs[0].data.params)
    _, ceiling = dataset.entropies(dataset.validation.first(HISTORY_INPUTS))
    assert [share for share, _ in pruner.calls] == [0.5, 0.75]
    assert pruner.calls[0][1].keys() == set(keys)
    assert pruner.calls[1][1].keys() == set(keys) - {keys[1]}
    for (_, results), epoch in zip(pruner.calls, (4, 6), strict=True):
        for record in records:
            if record.trial in results:
                relevance = record.history["relevance_bits"][epoch - 1]
                assert relevance is not None
                expected = (
                    record.history["rate_bits"][epoch - 1],
                    ceiling / math.log(2) - relevance,
                )
                assert results[record.trial] == pytest.approx(expected, rel=1e-6)


def test_a_diverged_trial_has_no_results(trial: Trial) -> None:
    """A diverged trial has result None and stays diverged, even if later losses are finite."""
    fields: dict[str, Any] = {"epochs": 4, "beta": 0.0, "learning_rate": 1.0}
    specs = [trial(**fields), trial(**fields, prior_width=1e-17)]
    pruner = FixedPruner({0.5: {specs[1].key}})
    records = run_trials(specs, device="cpu", rungs=(0.5,), on_rung=pruner)
    assert [value is None for value in pruner.calls[0][1].values()] == [False, True]
    assert [record.status for record in records] == ["finished", "diverged"]
    assert records[1].reason == "loss not finite in epoch 1"
    assert len(records[1].history["learning_rate"]) == 1


def test_an_encoder_without_noise_has_no_results(trial: Trial) -> None:
    """For an encoder without noise the result is None, because the rate is infinite."""
    pruner = FixedPruner({})
    run_trials([trial("deterministic", epochs=4)], device="cpu", rungs=(0.5,), on_rung=pruner)
    assert list(pruner.calls[0][1].values()) == [None]


def test_all_trials_may_be_stopped(trial: Trial, tmp_path: Path) -> None:
    """If all trials are stopped, the pack ends, and its checkpoint is deleted."""
    specs = trials_of(trial)
    pruner = FixedPruner({0.25: {spec.key for spec in specs}, 0.5: set()})
    options: dict[str, Any] = {"checkpoints": tmp_path, "every": 0}
    records = run_trials(specs, device="cpu", rungs=(0.25, 0.5), on_rung=pruner, **options)
    assert [record.status for record in records] == ["stopped"] * 6
    assert len(pruner.calls) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_pack_with_stopped_trials_resumes_from_its_checkpoint(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the resume, stopped trials stay stopped, and their rung is not called again."""
    specs = trials_of(trial)
    stopped = {0.25: {specs[0].key, specs[3].key}}
    uninterrupted = run_trials(specs, device="cpu", rungs=(0.25,), on_rung=FixedPruner(stopped))
    options: dict[str, Any] = {"rungs": (0.25,), "checkpoints": tmp_path, "every": 0}
    train_epoch = Pack.train_epoch

    def interrupted(pack: Pack, *args: Any) -> Any:
        if pack.epoch == 4:
            raise KeyboardInterrupt
        return train_epoch(pack, *args)

    monkeypatch.setattr(Pack, "train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_trials(specs, device="cpu", on_rung=FixedPruner(stopped), **options)
    monkeypatch.setattr(Pack, "train_epoch", train_epoch)
    pruner = FixedPruner(stopped)
    records = run_trials(specs, device="cpu", on_rung=pruner, **options)
    assert pruner.calls == []
    timeless = [
        [record.model_copy(update={"seconds": 0.0}) for record in group]
        for group in (records, uninterrupted)
    ]
    assert timeless[0] == timeless[1]


def test_rungs_are_at_the_ends_of_epochs() -> None:
    """A rung is the first epoch that reaches its share; the last epoch is never a rung."""
    assert rung_epochs((0.25, 0.5), 50) == {13: 0.25, 25: 0.5}
    assert rung_epochs((0.9, 0.1), 3) == {1: 0.1}
    assert rung_epochs((0.25, 0.5), 2) == {1: 0.5}
    assert rung_epochs((0.5,), 1) == {}
