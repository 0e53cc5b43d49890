"""Errors and records of `run_trials`."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from paretoib.data._idx import MNIST
from paretoib.errors import DataError, SpecError
from paretoib.records import PackProgress, TrialRecord
from paretoib.specs import TrialSpec
from paretoib.training._run import run_trials

Trial = Callable[..., TrialSpec]


@pytest.mark.parametrize(
    "fields",
    [
        {"latent": 5},
        {"epochs": 3},
        {"batch_size": 64},
        {"hidden": [8]},
        {"subset": 0.5},
        {"clip_norm": 1.0},
    ],
)
def test_a_pack_of_two_kinds_is_refused(trial: Trial, fields: dict[str, Any]) -> None:
    """A pack is refused if one of its trials differs in a field that a pack has to share."""
    specs = [trial(), trial(seed=1), trial(**fields)]
    with pytest.raises(SpecError, match="found 3 trials that need 2 packs"):
        run_trials(specs, device="cpu")


def test_a_pack_of_two_weightings_is_refused(trial: Trial) -> None:
    """Methods `vib` and `mib` have different weightings, so their trials need two packs."""
    with pytest.raises(SpecError, match="found 2 trials that need 2 packs"):
        run_trials([trial("vib"), trial("mib")], device="cpu")


def test_a_pack_reports_its_epochs(trial: Trial) -> None:
    """`on_epoch` gets the progress before the first epoch and after each epoch."""
    specs = [trial(epochs=4, seed=seed) for seed in range(3)]
    seen: list[PackProgress] = []
    run_trials(
        specs,
        device="cpu",
        rungs=(0.5,),
        on_rung=lambda _, results: {next(iter(results))},
        on_epoch=seen.append,
    )
    found = [(pack.trials, pack.epoch, pack.epochs) for pack in seen]
    assert found == [(3, 0, 4), (3, 1, 4), (2, 2, 4), (2, 3, 4), (2, 4, 4)]


def test_bf16_needs_cuda(trial: Trial) -> None:
    """A trial with precision bf16 is refused on a CPU."""
    with pytest.raises(SpecError, match=r"training.precision: bf16 needs a CUDA device; found cpu"):
        run_trials([trial(precision="bf16")], device="cpu")


def test_missing_data_are_a_data_error(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If files are missing, the error names the data set and the folder."""
    unreachable = replace(MNIST, mirrors=("http://127.0.0.1:9/",))
    monkeypatch.setattr("paretoib.data._idx.MNIST", unreachable)
    with pytest.raises(DataError, match=rf"data set `mnist` not found; .*{tmp_path}"):
        run_trials([trial(data="mnist", hidden=[16])], device="cpu", folder=tmp_path)


def test_a_record_has_the_spec_and_the_cost_of_its_trial(trial: Trial) -> None:
    """A record has spec, device and pack size; the time of the pack is divided evenly."""
    specs = [trial(seed=s) for s in range(3)]
    started = time.perf_counter()
    records = run_trials(specs, device="cpu")
    seconds = time.perf_counter() - started
    assert 0.5 * seconds < sum(record.seconds for record in records) <= seconds
    for spec, record in zip(specs, records, strict=True):
        assert TrialSpec.model_validate(record.spec) == spec
        assert (record.trial, record.device, record.pack) == (spec.key, "cpu", 3)
        assert record.seconds == records[0].seconds > 0
        assert TrialRecord.from_json(record.to_json()) == record


def test_metrics_use_whole_splits(trial: Trial) -> None:
    """All 359 examples of a split are measured, and the metrics are consistent."""
    record = run_trials([trial(epochs=10, learning_rate=1e-2, initial_noise=0.2)], device="cpu")[0]
    for metrics in (record.validation, record.test):
        assert metrics is not None
        assert metrics.examples == 359
        assert metrics.lost_bits == pytest.approx(metrics.ceiling_bits - metrics.relevance_bits)
        assert metrics.relevance_bits == pytest.approx(
            metrics.ceiling_bits - metrics.cross_entropy_bits
        )
        assert metrics.rate_bits is not None
        assert metrics.rate_lower_bits is not None
        assert 0 < metrics.rate_lower_bits <= metrics.rate_bits
        assert metrics.relevance_bits < metrics.rate_bits
        assert metrics.accuracy is not None
        assert metrics.accuracy > 0.8


def test_an_encoder_without_noise_has_no_rate(trial: Trial) -> None:
    """For an encoder without noise the rate is None; the other metrics are present."""
    record = run_trials([trial("deterministic", learning_rate=1e-2)], device="cpu")[0]
    assert record.status == "finished"
    assert record.test is not None
    assert (record.test.rate_bits, record.test.rate_lower_bits) == (None, None)
    assert record.test.relevance_bits > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_pack_trains_on_cuda(trial: Trial, precision: str) -> None:
    """On a GPU, a trial learns both alone and in a pack, also in mixed precision."""
    fields = {"precision": precision, "epochs": 10, "learning_rate": 1e-2}
    specs = [trial("mib", seed=s, **fields) for s in range(3)]
    packed = run_trials(specs, device="cuda")
    alone = run_trials(specs[:1], device="cuda")[0]
    assert alone.test is not None
    assert packed[0].test is not None
    assert alone.test.relevance_bits > 1
    assert packed[0].test.relevance_bits == pytest.approx(alone.test.relevance_bits, rel=0.05)
