"""A store in SQLite is read without MLflow, and every read returns what MLflow's client returns."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking.client import MlflowClient

from paretoib.errors import NotFoundError
from paretoib.records import ReferencePoint, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, Ruler
from paretoib.tracking._mlflow import layout
from paretoib.tracking._mlflow.client import ClientRuns
from paretoib.tracking._mlflow.reader import MLflowReader
from paretoib.tracking._mlflow.runs import Condition, Runs, StoredRun
from paretoib.tracking._mlflow.sqlite import REVISIONS, SqliteRuns, sqlite_runs
from paretoib.tracking._mlflow.submissions import SubmissionTracker
from paretoib.tracking._mlflow.tracker import MLflowTracker

RULER = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32)


class ClientReader(MLflowReader):
    """A reader that reads every store through MLflow's client."""

    def _open(self, address: str) -> Runs:
        return ClientRuns(address)


@pytest.fixture
def full_store(
    uri: str, client: MlflowClient, spec: SweepSpec, record: Callable[..., TrialRecord]
) -> str:
    """The address of a store with sweeps and trials of every status, and runs of other people."""
    store = SubmissionTracker(uri)
    sweeps = {}
    for status in ("finished", "cancelled", "interrupted", "failed", "running"):
        sweep = store.create(spec.model_copy(update={"name": f"größe {status}"}))
        sweeps[status] = sweep.id
        store.begin(sweep.id, RULER)
        kinds = ("finished", "stopped", "diverged", "failed")
        trials = [record(i, kind) for i, kind in enumerate(kinds)]
        store.add(sweep.id, [EndedTrial(trial, float(i)) for i, trial in enumerate(trials)])
        if status != "running":
            store.close(sweep.id, status, None, [], f"a reason: {status}")
    store.create_submitted(spec, "a request")
    store.create(SweepSpec.from_document({"method": "vib", "data": "gaussian"}))

    experiment = client.get_run(sweeps["finished"]).info.experiment_id
    client.update_run(sweeps["finished"], name="renamed in MLflow")
    client.delete_run(sweeps["failed"])
    client.log_metric(sweeps["running"], "not a number", float("nan"))
    client.log_metric(sweeps["running"], "infinite", float("inf"))
    child = {"mlflow.parentRunId": sweeps["finished"]}
    client.create_run(experiment, run_name="half-written", tags={**child, "a": "1"})
    people = client.create_run(experiment, run_name="somebody's run", tags=child)
    client.set_terminated(people.info.run_id)
    client.create_run(client.create_experiment("paretoib-deleted"))
    client.delete_experiment(client.get_experiment_by_name("paretoib-deleted").experiment_id)
    client.create_experiment("another program")
    return uri


def file_of(uri: str) -> Path:
    return Path(uri.removeprefix("sqlite:///"))


def all_run_ids(uri: str) -> list[str]:
    with closing(sqlite3.connect(file_of(uri))) as database:
        return [run for (run,) in database.execute("SELECT run_uuid FROM runs")]


def described(runs: Iterable[StoredRun | None]) -> list[dict[str, Any]]:
    """The runs in a form in which NaN equals NaN."""
    described = []
    for run in runs:
        metrics = {name: repr(value) for name, value in run.metrics.items()}
        described.append({**vars(run), "tags": dict(run.tags), "metrics": metrics})
    return described


def test_each_run_is_that_of_the_client(full_store: str) -> None:
    """`get` returns the same run, also a deleted one, and None for an unknown id."""
    ours, theirs = SqliteRuns(file_of(full_store), full_store), ClientRuns(full_store)
    ids = all_run_ids(full_store)
    assert len(ids) > 25
    for run_id in ids:
        assert described([ours.get(run_id)]) == described([theirs.get(run_id)])
    for unknown in ("0" * 32, "it's", ""):
        assert ours.get(unknown) is None
        assert theirs.get(unknown) is None


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("running", [True, False, None])
@pytest.mark.parametrize("kind", ["sweeps", "trials", "one trial", "a request", "all"])
def test_each_search_returns_the_runs_of_the_client(
    full_store: str, kind: str, running: bool | None, active: bool
) -> None:
    """`search` and `experiments` return the same runs in the same order."""
    ours, theirs = SqliteRuns(file_of(full_store), full_store), ClientRuns(full_store)
    experiments = ours.experiments("paretoib-")
    assert len(experiments) == 2
    assert experiments == theirs.experiments("paretoib-")
    deleted = ours.experiments("paretoib-", active=False)
    assert [*deleted.values()] == ["paretoib-deleted"]
    assert deleted == theirs.experiments("paretoib-", active=False)

    sweeps = ours.search([*experiments], layout.SWEEPS)
    sweep = next(run for run in sweeps if run.name == "renamed in MLflow")
    trials = ours.search([*experiments], layout.ended_trials(sweep.id))
    assert len(trials) == 5
    key = layout.trial_of(next(run.tags for run in trials if layout.is_trial(run.tags)))
    tags = {
        "sweeps": layout.SWEEPS.tags,
        "trials": layout.ended_trials(sweep.id).tags,
        "one trial": layout.ended_trials(sweep.id, key).tags,
        "a request": {**layout.SWEEPS.tags, "mlflow.paretoib.request": "a request"},
        "all": {},
    }[kind]
    condition = Condition(tags, running, active)
    for ids in ([*experiments], [*experiments][:1]):
        expected = described(theirs.search(ids, condition))
        assert described(ours.search(ids, condition)) == expected


def test_each_method_of_the_reader_returns_what_it_returns_with_the_client(full_store: str) -> None:
    """Sweeps, states, rulers, records, histories and links are equal for every sweep."""
    ours, theirs = MLflowReader(full_store), ClientReader(full_store)
    assert isinstance(ours._runs, SqliteRuns)
    states = ours.sweeps()
    assert states == theirs.sweeps()
    statuses = {state.status for state in states}
    assert statuses == {"running", "finished", "cancelled", "interrupted"}
    for state in states:
        for sweep in (state.id, state.id[:12], state.name):
            assert ours.find(sweep) == theirs.find(sweep)
        assert ours.state(state.id) == theirs.state(state.id)
        assert ours.ruler(state.id) == theirs.ruler(state.id)
        records = ours.records(state.id)
        assert records == theirs.records(state.id)
        for record in records:
            assert ours.history(state.id, record.trial) == theirs.history(state.id, record.trial)
            url = ours.trial_url(state.id, record.trial)
            assert url is not None
            assert url == theirs.trial_url(state.id, record.trial)
    for reader in (ours, theirs):
        with pytest.raises(NotFoundError):
            reader.find("größe failed")
        with pytest.raises(NotFoundError):
            reader.history(states[0].id, "0" * 16)


def test_the_tables_of_the_installed_mlflow_are_known(store: Path, uri: str) -> None:
    """After an update of MLflow, this test says that its tables should be compared again."""
    assert SqliteRuns(store / "mlflow.db", uri).revision() in REVISIONS


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE alembic_version SET version_num = 'later'",
        "INSERT INTO alembic_version VALUES ('a branch')",
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
    ],
)
def test_tables_of_an_unknown_version_are_left_to_the_client(
    store: Path, uri: str, change: str
) -> None:
    """A later MLflow may store runs in another way, so only its own client can read them."""
    assert sqlite_runs(store / "mlflow.db", uri)
    with closing(sqlite3.connect(store / "mlflow.db")) as database, database:
        database.execute(change)
    assert sqlite_runs(store / "mlflow.db", uri) is None


def test_a_store_of_an_unknown_version_can_be_read(
    tracker: MLflowTracker, uri: str, spec: SweepSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this program does not know the version of the tables, the reader uses the client."""
    sweep = tracker.create(spec)
    monkeypatch.setattr("paretoib.tracking._mlflow.sqlite.REVISIONS", frozenset())
    reader = MLflowReader(uri)
    assert isinstance(reader._runs, ClientRuns)
    assert reader.sweeps() == [sweep]


PROGRAM = """
import sys
from paretoib.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print(sorted({"mlflow", "sqlalchemy", "ray", "torch"} & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("command", ["list", "show", "front"])
def test_commands_that_read_load_neither_mlflow_nor_ray(
    tracker: MLflowTracker,
    store: Path,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
    command: str,
) -> None:
    """`list`, `show` and `front` are fast, because importing MLflow takes seconds."""
    sweep = tracker.create(spec)
    tracker.begin(sweep.id, RULER)
    test = record(0).test.model_copy(update={"rate_lower_bits": 0.1})
    trial = record(0).model_copy(update={"test": test})
    tracker.add(sweep.id, [EndedTrial(trial, 1.0)])
    tracker.close(sweep.id, "finished", None, [])
    words = [command] if command == "list" else [command, sweep.id]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env={**os.environ, "PARETOIB_STORE": str(store)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert sweep.name in done.stdout
    assert done.stderr == "[]\n"
