"""`on_models` of `run_trials`: which trials have models, after a resume and after an error."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from paretoib.records import TrialRecord
from paretoib.specs import TrialSpec
from paretoib.trained import read_model
from paretoib.training import stack_trained
from paretoib.training._pack import Pack
from paretoib.training._run import run_trials

Trial = Callable[..., TrialSpec]


class Collected:
    """The model files of a pack, by trial key."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def __call__(
        self, records: Sequence[TrialRecord], _: int, content: Callable[[str], bytes]
    ) -> None:
        assert not self.files, "the function is called once"
        self.files = {record.trial: content(record.trial) for record in records}


def test_only_finished_trials_have_models(trial: Trial) -> None:
    """A diverged and a stopped trial have no model; the models of the others are their own."""
    diverging = {"hidden": [64] * 18, "epochs": 4}
    specs = [
        trial(**diverging, seed=0),
        trial(**diverging, seed=1, initial_scale=1000.0),
        trial(**diverging, seed=2),
        trial(**diverging, seed=3),
    ]
    collected = Collected()
    records = run_trials(
        specs,
        device="cpu",
        rungs=(0.5,),
        on_rung=lambda *_: {specs[2].key},
        on_models=collected,
    )
    assert [r.status for r in records] == ["finished", "diverged", "stopped", "finished"]
    assert collected.files.keys() == {specs[0].key, specs[3].key}
    for spec in (specs[0], specs[3]):
        assert read_model(collected.files[spec.key]).header.trial_spec == spec


def test_a_resumed_pack_has_its_models(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pack that was interrupted after its training is measured again, with the same models."""
    specs = [trial(seed=seed, epochs=2) for seed in (0, 1)]
    uninterrupted, resumed = Collected(), Collected()
    run_trials(specs, device="cpu", on_models=uninterrupted)
    measure = Pack.measure

    def interrupted(_: Pack) -> Any:
        monkeypatch.setattr(Pack, "measure", measure)
        raise KeyboardInterrupt

    monkeypatch.setattr(Pack, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_trials(specs, device="cpu", checkpoints=tmp_path, every=0, on_models=resumed)
    assert resumed.files == {}
    run_trials(specs, device="cpu", checkpoints=tmp_path, every=0, on_models=resumed)
    assert resumed.files == uninterrupted.files


def test_an_error_in_on_models_loses_no_record(
    trial: Trial, caplog: pytest.LogCaptureFixture
) -> None:
    """The error is logged, and the records are those of a run without the function."""

    def fail(*_: object) -> None:
        raise MemoryError("no room")

    spec = trial()
    with caplog.at_level(logging.WARNING):
        (record,) = run_trials([spec], device="cpu", on_models=fail)
    assert record.status == "finished"
    assert caplog.messages == ["the models of a pack are not kept: no room"]


def test_trained_models_are_stacked(trial: Trial) -> None:
    """A stack of trained models computes what each of them computes."""
    specs = [trial(seed=seed, epochs=1) for seed in (0, 1, 2)]
    collected = Collected()
    run_trials(specs, device="cpu", on_models=collected)
    models = [read_model(collected.files[spec.key]) for spec in specs]
    x = torch.rand(5, 1, 8, 8)
    stack = stack_trained(models)
    stack.train(False)
    with torch.no_grad():
        encoded = stack.map(
            lambda encoder, head, x: head(encoder(x), None).encoding.mean, x.expand(3, *x.shape)
        )
        for model, mean in zip(models, encoded, strict=True):
            torch.testing.assert_close(model.encode(x)[0], mean)
