"""What `delete` leaves in MLflow and in the journal's folder."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.entities import ViewType
from mlflow.tracking.client import MlflowClient

from paretoib.errors import NotFoundError
from paretoib.records import ReferencePoint, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, JournalTracker, Ruler
from paretoib.tracking._journal.file import JournalFile, refused_path
from paretoib.tracking._mlflow.tracker import MLflowTracker

RULER = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32)


def test_trials_in_the_journal_are_deleted_and_restored_too(
    uri: str, tmp_path: Path, spec: SweepSpec, record: Callable[..., TrialRecord]
) -> None:
    """No file of the sweep stays in the journal's folder, and no trial is lost by `restore`."""
    tracker = JournalTracker(MLflowTracker(uri), tmp_path / "journal")
    sweep = tracker.create(spec)
    tracker.begin(sweep.id, RULER)
    tracker.add(sweep.id, [EndedTrial(record(0), 1.0)])
    tracker.close(sweep.id, "interrupted", None, [])
    # A writer that was killed has left a trial in the journal, and the store has refused another.
    path = tmp_path / "journal" / f"{sweep.id}.jsonl"
    journal = JournalFile(path)
    journal.append([EndedTrial(record(1), 2.0)])
    journal.set_aside(EndedTrial(record(2), 3.0), "too long")
    journal.close()
    assert {path, refused_path(path)} <= set(path.parent.iterdir())

    tracker.delete(sweep.id)
    assert list(path.parent.iterdir()) == []
    assert tracker.sweeps() == []
    restored = tracker.restore(sweep.id)
    assert restored.trials.finished == 2
    stored = [found.trial for found in tracker.records(sweep.id)]
    assert stored == [record(0).trial, record(1).trial]


def test_mlflow_gc_removes_a_deleted_sweep_for_good(
    tracker: MLflowTracker,
    client: MlflowClient,
    uri: str,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
) -> None:
    """The sweep's run and all its trials' runs are removed, and no run of another sweep."""
    deleted, kept = tracker.create(spec), tracker.create(spec)
    for sweep in (deleted, kept):
        tracker.begin(sweep.id, RULER)
        tracker.add(sweep.id, [EndedTrial(record(i), 1.0) for i in range(2)])
        tracker.close(sweep.id, "finished", None, [])
    tracker.delete(deleted.id)
    experiment = client.get_run(kept.id).info.experiment_id
    assert len(client.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)) == 3
    addresses = ("--backend-store-uri", uri, "--tracking-uri", uri)
    subprocess.run(
        [sys.executable, "-m", "mlflow", "gc", *addresses], check=True, capture_output=True
    )
    assert len(client.search_runs([experiment], run_view_type=ViewType.ALL)) == 3
    with pytest.raises(NotFoundError, match="no deleted sweep"):
        tracker.restore(deleted.id)
    assert len(tracker.records(kept.id)) == 2


def test_half_written_trials_are_not_restored(
    tracker: MLflowTracker,
    client: MlflowClient,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
) -> None:
    """A run whose writer was killed before the run was complete stays deleted."""
    sweep = tracker.create(spec)
    tracker.add(sweep.id, [EndedTrial(record(i), 1.0) for i in range(2)])
    tracker.close(sweep.id, "interrupted", None, [])
    experiment = client.get_run(sweep.id).info.experiment_id
    children = f"tags.`mlflow.parentRunId` = '{sweep.id}'"
    half_written, _ = client.search_runs([experiment], children)
    client.update_run(half_written.info.run_id, status="RUNNING")
    tracker.delete(sweep.id)
    tracker.restore(sweep.id)
    assert half_written.info.run_id not in {
        run.info.run_id for run in client.search_runs([experiment], children)
    }
    assert len(tracker.records(sweep.id)) == 1
