"""Sweeps and trials in MLflow, to look at: a sweep is a parent run, a trial a child run."""

import gc
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking.client import MlflowClient

from paretoib.errors import NotFoundError, StoreAwayError, StoreError
from paretoib.records import Status, SweepInfo, TrialRecord
from paretoib.tracking import _heartbeat as presence
from paretoib.tracking._lookup import no_trial, not_found, pick
from paretoib.tracking._mlflow import layout
from paretoib.tracking._mlflow.environment import quieten
from paretoib.tracking._mlflow.location import (
    is_server,
    local_folder,
    readable,
    shown,
    tracking_uri,
)
from paretoib.tracking._mlflow.retryable import passes, reason
from paretoib.tracking._mlflow.ui import PORT
from paretoib.tracking._mlflow.view import page
from paretoib.tracking._tracker import History, Ruler

quieten()

_STATUS: dict[str, Status] = {
    "RUNNING": "running",
    "FINISHED": "finished",
    "KILLED": "interrupted",
    "FAILED": "failed",
}
_PAGE = 500  # runs read at a time
FAILURES = (MlflowException, OSError)  # of a store, as MLflow and the file system raise them

A = ParamSpec("A")
R = TypeVar("R")
S = TypeVar("S", bound="MLflowReader")


def as_store_error(
    method: Callable[Concatenate[S, A], R],
) -> Callable[Concatenate[S, A], R]:
    """Turn what MLflow and the file system raise into a `StoreError` of one line."""

    @wraps(method)
    def call(self: S, /, *args: A.args, **kwargs: A.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except FAILURES as error:
            raise self._failure("cannot use", error) from error

    return call


class MLflowReader:
    """Sweeps in an MLflow store that is there, by default the configured one; changes nothing."""

    def __init__(self, uri: str | None = None) -> None:
        self.uri = uri or tracking_uri()
        with self._opened() as address:
            try:
                self._client = MlflowClient(address, address)
            except Exception as error:  # MLflow, SQLAlchemy, Alembic, a driver: each has its own
                raise self._failure("cannot open", error) from error

    @as_store_error
    def find(self, reference: str) -> SweepInfo:
        if re.fullmatch("[0-9a-f]{32}", reference):
            with suppress(NotFoundError):
                return info_of(self._run(reference))
        return pick(reference, self.sweeps())

    @as_store_error
    def sweeps(self) -> list[SweepInfo]:
        return [info_of(run) for run in self._sweeps()]

    @as_store_error
    def alive(self, sweep_id: str) -> bool:
        run = self._run(sweep_id)
        sign = presence.last_sign(run.data.tags) or run.info.start_time / 1000
        return presence.waits(run.data.tags) or not presence.silent(sign)

    @as_store_error
    def ruler(self, sweep_id: str) -> Ruler | None:
        return layout.ruler_of(self._run(sweep_id).data.tags)

    @as_store_error
    def records(self, sweep_id: str) -> list[TrialRecord]:
        experiment_id = self._run(sweep_id).info.experiment_id
        ended = self._ended(experiment_id, sweep_id, lambda run: layout.record_of(run.data.tags))
        return list({record.trial: record for _, record in ended}.values())

    @as_store_error
    def histories(self, sweep_id: str, trial: str) -> History:
        run = self._trial(sweep_id, trial)
        with tempfile.TemporaryDirectory() as scratch:
            path = local_folder(run.info.artifact_uri)
            if path is None:
                self._client.download_artifacts(run.info.run_id, layout.HISTORY, scratch)
            document = json.loads(((path or Path(scratch)) / layout.HISTORY).read_bytes())
        return {name: tuple(values) for name, values in document.items()}

    @as_store_error
    def address(self, sweep_id: str) -> str:
        return self._page(self._run(sweep_id))

    @as_store_error
    def run_address(self, sweep_id: str, trial: str) -> str:
        return self._page(self._trial(sweep_id, trial))

    def _opened(self) -> AbstractContextManager[str]:
        """Where MLflow finds the store, ready to be opened."""
        return readable(self.uri)

    def _failure(self, what: str, error: Exception) -> StoreError:
        kind = StoreAwayError if passes(error, server=is_server(self.uri)) else StoreError
        return kind(f"{what} the store {shown(self.uri)}: {reason(error)}")

    def _page(self, run: Run) -> str:
        place = page(run.info.experiment_id, run.info.run_id)
        if is_server(self.uri):
            return f"{shown(self.uri).rstrip('/')}/{place}"
        return f"paretoib ui, then http://127.0.0.1:{PORT}/{place}"

    def _run(self, sweep_id: str) -> Run:
        try:
            run = self._client.get_run(sweep_id)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise not_found(sweep_id) from error
            raise
        if run.info.lifecycle_stage != "active" or not layout.is_sweep(run.data.tags):
            raise not_found(sweep_id)
        return run

    def _sweeps(self, condition: str = layout.SWEEPS) -> Iterator[Run]:
        """The runs of sweeps, newest first."""
        pattern = layout.experiment_name("%")
        experiments = self._client.search_experiments(filter_string=f"name LIKE '{pattern}'")
        if ids := [experiment.experiment_id for experiment in experiments]:
            yield from self._search(ids, condition)

    def _trial(self, sweep_id: str, trial: str) -> Run:
        experiment_id = self._run(sweep_id).info.experiment_id
        if trial.isalnum():
            condition = layout.ended_trials(sweep_id, trial)
            for run in self._search([experiment_id], condition):
                return run
        raise no_trial(sweep_id, trial)

    def _search(self, experiment_ids: list[str], condition: str) -> Iterator[Run]:
        token = None
        while True:
            with _collector_paused():
                found = self._client.search_runs(
                    experiment_ids, condition, max_results=_PAGE, page_token=token
                )
            yield from found
            if not (token := found.token):
                return

    def _ended(
        self, experiment_id: str, sweep_id: str, read: Callable[[Run], R]
    ) -> list[tuple[int, R]]:
        """What `read` makes of each ended trial, with the trial's place and in their order."""
        runs = self._search([experiment_id], layout.ended_trials(sweep_id))
        found = [
            (layout.order_of(run.data.tags), read(run))
            for run in runs
            if layout.is_trial(run.data.tags)
        ]
        return sorted(found, key=lambda pair: pair[0])


def info_of(run: Run) -> SweepInfo:
    spec = layout.spec_of(run.data.tags)
    return SweepInfo(
        id=run.info.run_id,
        name=run.info.run_name,
        method=spec["method"],
        dataset=spec["data"]["name"],
        status=_STATUS[run.info.status],
        spec=spec,
    )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """MLflow makes dozens of objects of a run: looking for cycles among them costs twice that."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
