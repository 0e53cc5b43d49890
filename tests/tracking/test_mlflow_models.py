"""Model files in MLflow: loading by MLflow, and artifacts that cannot be written."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.tracking.client import MlflowClient

from paretoib.errors import ModelNotStoredError
from paretoib.records import ModelFile, ReferencePoint, TrialRecord
from paretoib.specs import SweepSpec, TrialSpec
from paretoib.tracking import EndedTrial, JournalTracker, Ruler, TrialModel
from paretoib.tracking._mlflow import tracker as tracker_module
from paretoib.tracking._mlflow.tracker import MLflowTracker
from paretoib.trained import read_model
from paretoib.training import run_trials
from tests.contracts.tracker_records import model_of

RULER = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32)


def run_of(client: MlflowClient, sweep_id: str) -> Any:
    """The run of the only trial of a sweep."""
    experiment = client.get_run(sweep_id).info.experiment_id
    (run,) = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{sweep_id}'")
    return run


@pytest.mark.parametrize("tasks", [1, 2])
def test_mlflow_loads_the_model_of_a_run(
    tracker: MLflowTracker, client: MlflowClient, uri: str, two_tasks: str, tasks: int
) -> None:
    """`mlflow.pyfunc.load_model("runs:/…/model")` predicts as `TrainedModel` does.

    Inputs are arrays of the data set's shape, or a data frame with one input in each row. The run
    has the tag by which MLflow's UI shows how to load the model.
    """
    data = {"name": "digits"} if tasks == 1 else {"name": two_tasks, "task": "all"}
    model = {"name": "mlp", "hidden": [8], "latent": 2}
    training = {"epochs": 1, "batch_size": 100}
    trial = TrialSpec.from_document(
        {
            "data": data,
            "model": model,
            "objective": "vib",
            "weighting": "linear",
            "training": training,
        }
    )
    contents: dict[str, bytes] = {}
    (record,) = run_trials(
        [trial],
        device="cpu",
        on_models=lambda records, _, content: contents.update(
            {record.trial: content(record.trial) for record in records}
        ),
    )
    content = contents[record.trial]
    sweep = tracker.create(SweepSpec.from_document({"method": "vib"}))
    stored = TrialModel(ModelFile(trial=record.trial, bytes=len(content)), content)
    tracker.add(sweep.id, [EndedTrial(record, 1.0, stored)])
    run = run_of(client, sweep.id)
    (logged,) = json.loads(run.data.tags["mlflow.log-model.history"])
    assert logged["artifact_path"] == "model"

    mlflow.set_tracking_uri(uri)
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    x = np.random.default_rng(0).random((1500, 1, 8, 8))
    expected = read_model(content).predict(torch.from_numpy(x).float())
    for inputs in (x, x.astype(np.float32), pd.DataFrame(x.reshape(len(x), -1))):
        found = loaded.predict(inputs)
        if isinstance(expected, tuple):
            assert list(found) == ["digit", "large"]
            for array, tensor in zip(found.values(), expected, strict=True):
                np.testing.assert_allclose(array, tensor.detach(), rtol=1e-5)
        else:
            np.testing.assert_allclose(found, expected.detach(), rtol=1e-5)
    one = loaded.predict(x[:1], params={"samples": 3})
    assert np.isfinite(one["digit"] if tasks == 2 else one).all()


def test_an_artifact_that_cannot_be_written_costs_no_record(
    tracker: MLflowTracker,
    client: MlflowClient,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the disk of the artifacts is full for models, the trial is stored once, with the reason.

    A trial with a lasting error of its model leaves no second run.
    """

    def full(folder: Path, *_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr(tracker_module, "write_model", full)
    sweep = tracker.create(spec)
    trial = EndedTrial(record(0), 1.0, model_of(record(0)))
    with pytest.raises(ModelNotStoredError) as caught:
        tracker.add(sweep.id, [trial])
    assert (caught.value.trial, caught.value.retryable) == (record(0).trial, False)
    journal = JournalTracker(tracker, tmp_path / "journal", patience=20)
    journal.begin(sweep.id, RULER, None, 500)
    journal.add(sweep.id, [trial])
    journal.close(sweep.id, "finished", None, [])
    run = run_of(client, sweep.id)
    assert run.info.status == "FINISHED"
    assert json.loads(run.data.tags["mlflow.log-model.history"]) == []
    assert tracker.history(sweep.id, record(0).trial) == record(0).history
    (file,) = tracker.models(sweep.id).files
    assert file.missing is not None
    assert "No space left on device" in file.missing
