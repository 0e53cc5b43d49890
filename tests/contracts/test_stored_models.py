"""Contract of every tracker: the model files of trials."""

from collections.abc import Callable

import pytest

from paretoib.errors import NotFoundError
from paretoib.records import ModelFile, TrialRecord
from paretoib.tracking import EndedTrial, Tracker, TrialModel

from .tracker_records import RULER, ended, ended_with_models, model_of, record, spec

Open = Callable[[], Tracker]


def content_of(tracker: Tracker, sweep_id: str, trial: TrialRecord) -> bytes:
    with tracker.open_model(sweep_id, trial.trial) as file:
        return file.read()


def stored_artifacts(tracker: Tracker, sweep_id: str, trial: TrialRecord) -> list[str] | None:
    """The names of a trial's artifacts in MLflow; None for a store in memory."""
    client = getattr(getattr(tracker, "_store", tracker), "_client", None)
    if client is None:
        return None
    tags = {"mlflow.parentRunId": sweep_id, "mlflow.paretoib.trial": trial.trial}
    condition = " AND ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    (run,) = client.search_runs([client.get_run(sweep_id).info.experiment_id], condition)
    return sorted(artifact.path for artifact in client.list_artifacts(run.info.run_id))


def test_a_model_file_is_stored_with_its_trial(reopen: Open) -> None:
    """The file is read back unchanged, before and after the store is opened again.

    `models` lists the files of all trials or of one, with their sizes and the limit.
    """
    tracker = reopen()
    sweep = tracker.create(spec())
    assert tracker.models(sweep.id).limit_mb is None
    tracker.begin(sweep.id, RULER, None, 500)
    first, second, without = record(0.1), record(0.2), record(0.3, status="diverged", reason="NaN")
    tracker.add(sweep.id, [*ended_with_models(first, second), *ended(without)])
    for opened in (tracker, reopen()):
        files = opened.models(sweep.id)
        assert files.limit_mb == 500
        assert files.files == (model_of(first).file, model_of(second).file) == files.kept
        assert opened.models(sweep.id, second.trial).files == (model_of(second).file,)
        assert opened.models(sweep.id, without.trial).files == ()
        for trial in (first, second):
            assert content_of(opened, sweep.id, trial) == model_of(trial).content
    tracker = reopen()
    tracker.begin(sweep.id, RULER)
    tracker.add(sweep.id, ended_with_models(first, record(0.4)))
    tracker.close(sweep.id, "finished", None, [])
    tracker = reopen()
    assert [file.trial for file in tracker.models(sweep.id).files] == [
        trial.trial for trial in (first, second, record(0.4))
    ]
    assert tracker.models(sweep.id).limit_mb == 500
    assert content_of(tracker, sweep.id, first) == model_of(first).content
    assert [r.trial for r in tracker.records(sweep.id)] == [
        trial.trial for trial in (first, second, without, record(0.4))
    ]


def test_the_error_for_a_model_that_is_not_kept_says_why(tracker: Tracker) -> None:
    """The error names the trial and the reason; a trial that has not ended is not found."""
    sweep = tracker.create(spec())
    tracker.begin(sweep.id, RULER, None, 500)
    diverged = record(0.1, status="diverged", reason="loss not finite in epoch 3")
    large = record(0.2)
    missing = TrialModel(ModelFile(trial=large.trial, bytes=10**9, missing="it is too large"))
    tracker.add(sweep.id, [*ended(diverged), EndedTrial(large, 1.0, missing)])
    tracker.flush(sweep.id)
    assert tracker.models(sweep.id).kept == ()
    for trial, reason in (
        (diverged, r"this one is diverged \(loss not finite in epoch 3\)"),
        (large, "it is too large"),
    ):
        with pytest.raises(NotFoundError, match=f"{trial.trial} .* is not kept: .*{reason}"):
            tracker.open_model(sweep.id, trial.trial)
    with pytest.raises(NotFoundError, match="should be the key of an ended trial"):
        tracker.open_model(sweep.id, record(0.3).trial)
    with pytest.raises(NotFoundError, match="paretoib list"):
        tracker.models("no-such-sweep")


def test_dropped_models_are_deleted_and_their_trials_stay(reopen: Open) -> None:
    """The reason is stored; the records and the other files stay. Dropping again does nothing."""
    tracker = reopen()
    sweep = tracker.create(spec())
    tracker.begin(sweep.id, RULER, None, 1)
    first, second, third = record(0.1), record(0.2), record(0.3)
    tracker.add(sweep.id, ended_with_models(first, second))
    tracker.drop_models(sweep.id, [first.trial, "unknown"], "dominated")
    tracker.add(sweep.id, ended_with_models(third))
    tracker.drop_models(sweep.id, {first.trial}, "again")
    tracker.flush(sweep.id)
    tracker.close(sweep.id, "finished", None, [])
    tracker = reopen()
    files = tracker.models(sweep.id)
    assert files.files[0] == model_of(first).file.model_copy(update={"missing": "dominated"})
    assert files.kept == (model_of(second).file, model_of(third).file)
    assert "2 of 3 kept" in str(files)
    assert "dominated" in str(files)
    with pytest.raises(NotFoundError, match="is not kept: dominated"):
        tracker.open_model(sweep.id, first.trial)
    assert content_of(tracker, sweep.id, second) == model_of(second).content
    assert stored_artifacts(tracker, sweep.id, first) in (None, ["history.json"])
    assert stored_artifacts(tracker, sweep.id, second) in (None, ["history.json", "model"])
    assert len(tracker.records(sweep.id)) == 3
    assert tracker.history(sweep.id, first.trial) == first.history


def test_a_restored_sweep_has_its_models(reopen: Open) -> None:
    """`delete` and `restore` lose no model file."""
    tracker = reopen()
    sweep = tracker.create(spec())
    tracker.begin(sweep.id, RULER, None, 500)
    tracker.add(sweep.id, ended_with_models(record(0.1)))
    tracker.close(sweep.id, "finished", None, [])
    tracker = reopen()
    tracker.delete(sweep.id)
    tracker.restore(sweep.id)
    assert content_of(reopen(), sweep.id, record(0.1)) == model_of(record(0.1)).content
