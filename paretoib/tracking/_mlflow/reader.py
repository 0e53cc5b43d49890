"""Read sweeps and trials from MLflow: a sweep is a parent run, a trial a child run."""

import gc
import json
import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from mlflow.entities import Experiment, Run, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking.client import MlflowClient

from paretoib.errors import InvalidDataError, NotFoundError, StoreError, StoreUnavailableError
from paretoib.records import Status, SweepState, TrialCounts, TrialRecord
from paretoib.tracking import _heartbeat
from paretoib.tracking._lookup import find_sweep, sweep_not_found, trial_not_found
from paretoib.tracking._mlflow import layout
from paretoib.tracking._mlflow.environment import set_log_levels
from paretoib.tracking._mlflow.location import (
    artifact_folder,
    is_server,
    masked,
    readable,
    tracking_uri,
)
from paretoib.tracking._mlflow.retryable import is_invalid_data, is_retryable, reason
from paretoib.tracking._mlflow.ui import ui_address
from paretoib.tracking._mlflow.view import page
from paretoib.tracking._state import from_timestamp, with_stale_rule
from paretoib.tracking._tracker import History, Ruler

_log = logging.getLogger(__name__)

set_log_levels()

_STATUS: dict[str, Status] = {
    "RUNNING": "running",
    "FINISHED": "finished",
    "KILLED": "interrupted",
    "FAILED": "failed",
}
_PAGE = 500  # runs per request
_FAILURES = (MlflowException, OSError)  # exceptions that a call to the store may raise

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
        except _FAILURES as error:
            raise self._store_error("cannot use", error) from error

    return call


class MLflowReader:
    """The sweeps of an existing MLflow store, by default the configured one; read-only.

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
                self._client = MlflowClient(address, address)
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
        return layout.ruler_of(self._run(sweep_id).data.tags)

    @as_store_error
    def records(self, sweep_id: str) -> list[TrialRecord]:
        experiment_id = self._run(sweep_id).info.experiment_id
        ended = self._ended(experiment_id, sweep_id, lambda run: layout.record_of(run.data.tags))
        return list({record.trial: record for _, record in ended}.values())

    @as_store_error
    def history(self, sweep_id: str, trial: str) -> History:
        run = self._trial(sweep_id, trial)
        with tempfile.TemporaryDirectory() as scratch:
            folder = artifact_folder(self.uri, run.info.artifact_uri)
            if folder is None:
                self._client.download_artifacts(run.info.run_id, layout.HISTORY, scratch)
            document = json.loads(((folder or Path(scratch)) / layout.HISTORY).read_bytes())
        return {name: tuple(values) for name, values in document.items()}

    @as_store_error
    def trial_url(self, sweep_id: str, trial: str) -> str | None:
        return self._url(self._trial(sweep_id, trial))

    def _checked_address(self) -> AbstractContextManager[str]:
        """Check the store in a context in which MLflow opens it; yields the address for MLflow."""
        return readable(self.uri)

    def _store_error(self, what: str, error: Exception) -> StoreError:
        unavailable = is_retryable(error, server=is_server(self.uri))
        if unavailable:
            self._unavailable_at = datetime.now(UTC)
        refused = InvalidDataError if is_invalid_data(error) else StoreError
        kind = StoreUnavailableError if unavailable else refused
        return kind(f"{what} the store {masked(self.uri)}: {reason(error)}")

    def _state(self, run: Run) -> SweepState:
        """The state of a sweep from its run."""
        spec, tags, metrics = layout.spec_of(run.data.tags), run.data.tags, run.data.metrics
        status = _STATUS[run.info.status]
        if status == "interrupted" and _heartbeat.is_cancel_requested(tags):
            status = "cancelled"
        heartbeat = _heartbeat.last_heartbeat(tags)
        ended = run.info.end_time if status != "running" else None
        state = SweepState(
            id=run.info.run_id,
            name=_printable(run.info.run_name),
            method=spec["method"],
            dataset=spec["data"]["name"],
            status=status,
            spec=spec,
            reason=_printable(tags.get(layout.REASON, "")) or None,
            trials=_counts(spec["trials"], metrics),
            hypervolume=metrics.get("hypervolume"),
            started=from_timestamp(run.info.start_time / 1000),
            ended=from_timestamp(ended / 1000) if ended else None,
            submitted=_heartbeat.submitted_at(tags),
            heartbeat=from_timestamp(heartbeat) if heartbeat else None,
            cancel_requested=_heartbeat.is_cancel_requested(tags),
            workers=layout.workers_of(tags),
            packs=layout.packs_of(tags) if status == "running" else None,
            mlflow_url=self._url(run),
        )
        if self._observed.changed_recently(run.info.run_id, heartbeat):
            return state
        return with_stale_rule(state, self._unavailable_at)

    def _url(self, run: Run) -> str | None:
        path = page(run.info.experiment_id, run.info.run_id)
        return f"{self._ui_url}/{path}" if self._ui_url else None

    def _run(self, sweep_id: str) -> Run:
        try:
            run = self._client.get_run(sweep_id)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise sweep_not_found(sweep_id) from error
            raise
        if run.info.lifecycle_stage != "active" or not layout.is_sweep(run.data.tags):
            raise sweep_not_found(sweep_id)
        return run

    def _sweeps(self, condition: str = layout.SWEEPS) -> Iterator[Run]:
        """The runs of sweeps that meet a filter, newest first."""
        pattern = layout.experiment_name("%")
        experiments = self._client.search_experiments(filter_string=f"name LIKE '{pattern}'")
        if ids := [experiment.experiment_id for experiment in experiments]:
            yield from self._search(ids, condition)
            return
        deleted = self._client.search_experiments(
            ViewType.DELETED_ONLY, filter_string=f"name LIKE '{pattern}'"
        )
        for experiment in deleted:
            _log.warning("%s", deleted_experiment(experiment))

    def _trial(self, sweep_id: str, trial: str) -> Run:
        experiment_id = self._run(sweep_id).info.experiment_id
        if trial.isalnum():
            condition = layout.ended_trials(sweep_id, trial)
            for run in self._search([experiment_id], condition):
                return run
        raise trial_not_found(sweep_id, trial)

    def _search(self, experiment_ids: list[str], condition: str) -> Iterator[Run]:
        token = None
        while True:
            with _garbage_collector_paused():
                runs = self._client.search_runs(
                    experiment_ids, condition, max_results=_PAGE, page_token=token
                )
            yield from runs
            if not (token := runs.token):
                return

    def _ended(
        self, experiment_id: str, sweep_id: str, read: Callable[[Run], R]
    ) -> list[tuple[int, R]]:
        """For each ended trial, in order: its position, and the result of `read` on its run."""
        runs = self._search([experiment_id], layout.ended_trials(sweep_id))
        trials = [
            (layout.order_of(run.data.tags), read(run))
            for run in runs
            if layout.is_trial(run.data.tags)
        ]
        return sorted(trials, key=lambda pair: pair[0])


def deleted_experiment(experiment: Experiment) -> str:
    """A message that says how to restore an experiment that was deleted in MLflow's UI."""
    return (
        f"MLflow's experiment {experiment.name} should not be deleted; `mlflow experiments restore "
        f"--experiment-id {experiment.experiment_id}` restores it"
    )


def _printable(text: str) -> str:
    """The text with control characters escaped: a name from MLflow must not steer a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _counts(total: int, metrics: Mapping[str, float]) -> TrialCounts:
    by_status = {
        status: int(metrics.get(f"trials_{status}", 0))
        for status in ("finished", "stopped", "failed")
    }
    return TrialCounts(total=total, **by_status)


@contextmanager
def _garbage_collector_paused() -> Iterator[None]:
    """Pause garbage collection during a request.

    MLflow creates dozens of objects for each run, and collection would double the request's time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
