"""Read sweeps and trials from MLflow: a sweep is a parent run, a trial a child run."""

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from functools import wraps
from typing import IO, Concatenate, ParamSpec, TypeVar

from paretoib.errors import InvalidDataError, NotFoundError, StoreError, StoreUnavailableError
from paretoib.records import ModelFiles, Status, SweepState, TrialCounts, TrialRecord
from paretoib.tracking import _heartbeat
from paretoib.tracking._lookup import (
    find_sweep,
    model_not_kept,
    sweep_not_found,
    trial_not_found,
)
from paretoib.tracking._mlflow import layout
from paretoib.tracking._mlflow.location import (
    artifact_folder,
    is_server,
    masked,
    readable,
    sqlite_file,
    tracking_uri,
)
from paretoib.tracking._mlflow.retryable import is_invalid_data, is_retryable, reason
from paretoib.tracking._mlflow.runs import Condition, Runs, StoredRun
from paretoib.tracking._mlflow.sqlite import sqlite_runs
from paretoib.tracking._mlflow.ui import ui_address
from paretoib.tracking._mlflow.view import note_of, page
from paretoib.tracking._state import from_timestamp, with_stale_rule
from paretoib.tracking._tracker import History, Ruler

_log = logging.getLogger(__name__)

_STATUS: dict[str, Status] = {
    "RUNNING": "running",
    "FINISHED": "finished",
    "KILLED": "interrupted",
    "FAILED": "failed",
}

A = ParamSpec("A")
R = TypeVar("R")
S = TypeVar("S", bound="MLflowReader")


def as_store_error(
    method: Callable[Concatenate[S, A], R],
) -> Callable[Concatenate[S, A], R]:
    """Turn the errors of MLflow and the file system into a `StoreError` of one line."""

    @wraps(method)
    def call(self: S, /, *args: A.args, **kwargs: A.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except self._runs.failures as error:
            raise self._store_error("cannot use", error) from error

    return call


class MLflowReader:
    """The sweeps of an existing MLflow store, by default the configured one; read-only.

    A store in SQLite is read without MLflow, because importing MLflow takes seconds.
    Links start with `ui_url`, the address of MLflow's UI: by default the MLflow server, or the
    address at which `paretoib ui` serves the UI. If it is "", there are no links.
    """

    def __init__(self, uri: str | None = None, ui_url: str | None = None) -> None:
        self.uri = uri or tracking_uri()
        self._ui_url = (ui_address(self.uri) if ui_url is None else ui_url).rstrip("/")
        self._observed = _heartbeat.ObservedHeartbeats()
        self._unavailable_at: datetime | None = None  # the last time that the store did not answer
        with self._checked_address() as address:
            try:
                self._runs = self._open(address)
            except Exception as error:  # from MLflow, SQLAlchemy, Alembic or a database driver
                raise self._store_error("cannot open", error) from error

    @as_store_error
    def find(self, sweep: str) -> SweepState:
        if re.fullmatch("[0-9a-f]{32}", sweep):
            with suppress(NotFoundError):
                return self._state(self._run(sweep))
        return find_sweep(sweep, self.sweeps())

    @as_store_error
    def state(self, sweep_id: str) -> SweepState:
        return self._state(self._run(sweep_id))

    @as_store_error
    def sweeps(self) -> list[SweepState]:
        return [self._state(run) for run in self._sweeps()]

    @as_store_error
    def ruler(self, sweep_id: str) -> Ruler | None:
        return layout.ruler_of(self._run(sweep_id).tags)

    @as_store_error
    def records(self, sweep_id: str) -> list[TrialRecord]:
        experiment_id = self._run(sweep_id).experiment_id
        ended = self._ended(experiment_id, sweep_id, lambda run: layout.record_of(run.tags))
        return list({record.trial: record for _, record in ended}.values())

    @as_store_error
    def history(self, sweep_id: str, trial: str) -> History:
        with self._open_artifact(self._trial(sweep_id, trial), layout.HISTORY) as file:
            document = json.load(file)
        return {name: tuple(values) for name, values in document.items()}

    @as_store_error
    def trial_url(self, sweep_id: str, trial: str) -> str | None:
        return self._url(self._trial(sweep_id, trial))

    @as_store_error
    def models(self, sweep_id: str, trial: str | None = None) -> ModelFiles:
        run = self._run(sweep_id)
        models = self._ended(
            run.experiment_id, sweep_id, lambda run: layout.model_of(run.tags), trial or ""
        )
        files = {file.trial: file for _, file in models if file}
        return ModelFiles(limit_mb=layout.models_mb_of(run.tags), files=tuple(files.values()))

    @as_store_error
    def open_model(self, sweep_id: str, trial: str) -> IO[bytes]:
        run = self._trial(sweep_id, trial)
        file = layout.model_of(run.tags)
        if file and file.kept:
            return self._open_artifact(run, layout.MODEL)
        raise model_not_kept(sweep_id, layout.record_of(run.tags), self.models(sweep_id, trial))

    def _open_artifact(self, run: StoredRun, name: str) -> IO[bytes]:
        folder = artifact_folder(self.uri, run.artifact_uri)
        return (folder / name).open("rb") if folder else self._runs.open_artifact(run, name)

    def _checked_address(self) -> AbstractContextManager[str]:
        """Check the store in a context in which MLflow opens it; yields the address for MLflow."""
        return readable(self.uri)

    def _open(self, address: str) -> Runs:
        """The runs of the store, whose address for MLflow is `address`."""
        file = sqlite_file(self.uri)
        if file and "?" not in self.uri and (runs := sqlite_runs(file, address)):
            return runs
        from paretoib.tracking._mlflow.client import ClientRuns

        return ClientRuns(address)

    def _store_error(self, what: str, error: Exception) -> StoreError:
        unavailable = is_retryable(error, server=is_server(self.uri))
        if unavailable:
            self._unavailable_at = datetime.now(UTC)
        refused = InvalidDataError if is_invalid_data(error) else StoreError
        kind = StoreUnavailableError if unavailable else refused
        return kind(f"{what} the store {masked(self.uri)}: {reason(error)}")

    def _state(self, run: StoredRun) -> SweepState:
        """The state of a sweep from its run."""
        spec, tags, metrics = layout.spec_of(run.tags), run.tags, run.metrics
        status = _STATUS[run.status]
        if status == "interrupted" and _heartbeat.is_cancel_requested(tags):
            status = "cancelled"
        heartbeat = _heartbeat.last_heartbeat(tags)
        ended = run.end_time if status != "running" else None
        state = SweepState(
            id=run.id,
            name=_printable(run.name),
            method=spec["method"],
            dataset=spec["data"]["name"],
            status=status,
            spec=spec,
            reason=_printable(tags.get(layout.REASON, "")) or None,
            trials=_counts(spec["trials"], metrics),
            hypervolume=metrics.get("hypervolume"),
            started=from_timestamp(run.start_time / 1000),
            ended=from_timestamp(ended / 1000) if ended else None,
            submitted=_heartbeat.submitted_at(tags),
            heartbeat=from_timestamp(heartbeat) if heartbeat else None,
            cancel_requested=_heartbeat.is_cancel_requested(tags),
            workers=layout.workers_of(tags),
            packs=layout.packs_of(tags) if status == "running" else None,
            archived=layout.is_archived(tags),
            note=_printable(note_of(tags), "\n"),
            tags={_printable(n): _printable(v) for n, v in layout.user_tags(tags).items()},
            mlflow_url=self._url(run),
        )
        if self._observed.changed_recently(run.id, heartbeat):
            return state
        return with_stale_rule(state, self._unavailable_at)

    def _url(self, run: StoredRun) -> str | None:
        path = page(run.experiment_id, run.id)
        return f"{self._ui_url}/{path}" if self._ui_url else None

    def _run(self, sweep_id: str) -> StoredRun:
        run = self._runs.get(sweep_id)
        if run is None or not run.active or not layout.is_sweep(run.tags):
            raise sweep_not_found(sweep_id)
        return run

    def _sweeps(self, condition: Condition = layout.SWEEPS) -> Sequence[StoredRun]:
        """The runs of sweeps that meet a condition, newest first."""
        prefix = layout.experiment_name("")
        if experiments := self._runs.experiments(prefix):
            return [*self._runs.search([*experiments], condition)]
        for experiment_id, name in self._runs.experiments(prefix, active=False).items():
            _log.warning("%s", deleted_experiment(experiment_id, name))
        return []

    def _trial(self, sweep_id: str, trial: str) -> StoredRun:
        experiment_id = self._run(sweep_id).experiment_id
        if trial.isalnum():
            for run in self._runs.search([experiment_id], layout.ended_trials(sweep_id, trial)):
                return run
        raise trial_not_found(sweep_id, trial)

    def _ended(
        self, experiment_id: str, sweep_id: str, read: Callable[[StoredRun], R], trial: str = ""
    ) -> list[tuple[int, R]]:
        """For each ended trial, in order: its position, and the result of `read` on its run.

        With `trial`, only for the trial with this key.
        """
        runs = self._runs.search([experiment_id], layout.ended_trials(sweep_id, trial))
        trials = [
            (layout.order_of(run.tags), read(run)) for run in runs if layout.is_trial(run.tags)
        ]
        return sorted(trials, key=lambda pair: pair[0])


def deleted_experiment(experiment_id: str, name: str) -> str:
    """A message that says how to restore an experiment that was deleted in MLflow's UI."""
    return (
        f"MLflow's experiment {name} should not be deleted; `mlflow experiments restore "
        f"--experiment-id {experiment_id}` restores it"
    )


def _printable(text: str, allowed: str = "") -> str:
    """The text with control characters escaped: a name from MLflow must not steer a terminal.

    Characters in `allowed` are not escaped.
    """
    return "".join(c if c.isprintable() or c in allowed else repr(c)[1:-1] for c in text)


def _counts(total: int, metrics: Mapping[str, float]) -> TrialCounts:
    by_status = {
        status: int(metrics.get(f"trials_{status}", 0))
        for status in ("finished", "stopped", "failed")
    }
    return TrialCounts(total=total, **by_status)
