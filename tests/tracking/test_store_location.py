"""The location of the store: folders with special names, and a store that was moved."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.tracking.client import MlflowClient

from paretoib.records import TrialRecord
from paretoib.settings import settings
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, reader
from paretoib.tracking._mlflow.location import sqlite_file, sqlite_uri, tracking_uri
from paretoib.tracking._mlflow.reader import MLflowReader
from paretoib.tracking._mlflow.tracker import MLflowTracker

NAMES = ("my runs", "my%20runs", "feature%2Flogin", "50%", "a?b", "a#b;c&d='", "größe")


@pytest.mark.parametrize("name", NAMES)
def test_a_store_can_be_in_a_folder_of_any_name(
    name: str, empty_store: Path, tmp_path: Path, spec: SweepSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Special characters in the name are kept: `my%20runs` is not the folder `my runs`."""
    folders = [tmp_path / name, tmp_path / f"{name} 2", tmp_path / "my runs"]
    for folder in dict.fromkeys(folders):
        shutil.copytree(empty_store, folder, dirs_exist_ok=True)
    monkeypatch.setenv("PARETOIB_STORE", str(folders[0]))
    settings.cache_clear()
    sweep = MLflowTracker().create(spec)
    assert sqlite_file(tracking_uri()) == folders[0] / "mlflow.db"
    assert [state.id for state in reader().sweeps()] == [sweep.id]
    assert (folders[0] / "artifacts" / "paretoib-digits" / sweep.id).is_dir()
    for folder in set(folders[1:]) - {folders[0]}:
        assert MLflowReader(sqlite_uri(folder / "mlflow.db")).sweeps() == []
    settings.cache_clear()


def test_a_moved_store_can_be_read_and_written(
    store: Path, tmp_path: Path, spec: SweepSpec, record: Callable[..., TrialRecord]
) -> None:
    """After a move of the store, old trials are read, and new artifacts are beside the database.

    MLflow finds the old and the new trials.
    """
    before = MLflowTracker(sqlite_uri(store / "mlflow.db"))
    sweep = before.create(spec)
    before.add(sweep.id, [EndedTrial(record(0), 1.0)])
    moved = store.rename(tmp_path / "elsewhere")
    uri = sqlite_uri(moved / "mlflow.db")

    history = MLflowReader(uri).history(sweep.id, record(0).trial)
    assert history == record(0).history
    after = MLflowTracker(uri)
    after.add(sweep.id, [EndedTrial(record(1), 1.0)])
    second = after.create(spec)
    assert after.history(sweep.id, record(1).trial) == record(1).history
    assert not store.exists()

    client = MlflowClient(uri)
    runs = client.search_runs([client.get_run(sweep.id).info.experiment_id])
    assert {run.info.run_id for run in runs} >= {sweep.id, second.id}
    for run in runs:
        assert run.info.artifact_uri.startswith(moved.as_uri())
        assert client.list_artifacts(run.info.run_id)
