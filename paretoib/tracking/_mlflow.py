"""Sweeps and trials in MLflow: a sweep is a parent run, a trial a child run.

A trial's run is made RUNNING and gets its final status last, so that one call makes it there for
readers; a run that is still RUNNING when the sweep's next writer comes was cut off and is
removed.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, wraps
from getpass import getuser
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from mlflow.entities import Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking.client import MlflowClient

from paretoib.errors import StoreError
from paretoib.records import Front, Status, SweepInfo, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import _layout as layout
from paretoib.tracking._find import check_same_ruler, not_found, pick
from paretoib.tracking._quiet import quieten
from paretoib.tracking._store import (
    artifact_root,
    is_server,
    ready,
    shown,
    tracking_uri,
    write_files,
)
from paretoib.tracking._tracker import Picture, Ruler
from paretoib.tracking._ui import PORT
from paretoib.tracking._view import note, page, view

quieten()

_RUN_STATUS: dict[Status, str] = {
    "running": "RUNNING",
    "finished": "FINISHED",
    "interrupted": "KILLED",
    "failed": "FAILED",
}
_STATUS = {run_status: status for status, run_status in _RUN_STATUS.items()}

A = ParamSpec("A")
R = TypeVar("R")


def _plainly(
    method: Callable[Concatenate["MLflowTracker", A], R],
) -> Callable[Concatenate["MLflowTracker", A], R]:
    """Turn what MLflow and the file system raise into a `StoreError` of one line."""

    @wraps(method)
    def call(self: "MLflowTracker", /, *args: A.args, **kwargs: A.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except (MlflowException, OSError) as error:
            raise self._failure("cannot use", error) from error

    return call


@dataclass
class _Writing:
    """What the writer of a sweep knows of it, so that adding a trial reads nothing."""

    experiment_id: str
    spec: dict[str, Any]
    keys: set[str]
    failed: int
    next_order: int


class MLflowTracker:
    """Sweeps in an MLflow store, by default the configured one.

    A server keeps the artefacts too; for a database they lie in a folder (`artifact_root`).
    """

    def __init__(self, uri: str | None = None) -> None:
        self.uri = uri or tracking_uri()
        self._writing: dict[str, _Writing] = {}
        self._client = self._open()

    @_plainly
    def create(self, spec: SweepSpec) -> SweepInfo:
        experiment_id = self._experiment(spec.data.name)
        tags = {**layout.sweep_tags(spec), **_source()}
        run = self._client.create_run(experiment_id, run_name=spec.name, tags=tags)
        sweep_id = run.info.run_id
        self._log(sweep_id, params=layout.sweep_params(spec))
        described = note(spec, experiment_id, sweep_id)
        self._client.set_tag(sweep_id, "mlflow.note.content", described)
        for key, value in view(spec, sweep_id, run.info.start_time).items():
            self._client.set_experiment_tag(experiment_id, key, value)
        self._write(run, [Picture("spec.json", spec.to_json().encode())])
        return _info(run)

    @_plainly
    def find(self, reference: str) -> SweepInfo:
        return pick(reference, self.sweeps())

    @_plainly
    def sweeps(self) -> list[SweepInfo]:
        pattern = layout.experiment_name("%")
        experiments = self._client.search_experiments(filter_string=f"name LIKE '{pattern}'")
        ids = [experiment.experiment_id for experiment in experiments]
        runs = self._search(ids, layout.SWEEPS) if ids else ()
        return [_info(run) for run in runs]

    @_plainly
    def begin(self, sweep_id: str, ruler: Ruler) -> None:
        run = self._run(sweep_id)
        if held := layout.ruler_of(run.data.tags):
            check_same_ruler(held, ruler)
        else:
            self._log(sweep_id, params=layout.ruler_params(ruler))
            self._client.set_tag(sweep_id, *layout.ruler_tag(ruler))
        if run.info.status != "RUNNING":
            self._client.update_run(sweep_id, status="RUNNING")

    @_plainly
    def ruler(self, sweep_id: str) -> Ruler | None:
        return layout.ruler_of(self._run(sweep_id).data.tags)

    @_plainly
    def add(self, sweep_id: str, record: TrialRecord, *, hypervolume: float) -> None:
        # Put back when the trial is wholly there: after a failure the sweep is taken up anew.
        sweep = self._writing.pop(sweep_id, None) or self._take_up(sweep_id)
        if record.trial not in sweep.keys:
            self._add_run(sweep_id, sweep, record)
            sweep.keys.add(record.trial)
            sweep.failed += record.status != "finished"
            sweep.next_order += 1
            progress = {
                "hypervolume": hypervolume,
                "trials_finished": len(sweep.keys) - sweep.failed,
                "trials_failed": sweep.failed,
            }
            self._log(sweep_id, metrics=[(k, v, len(sweep.keys)) for k, v in progress.items()])
        self._writing[sweep_id] = sweep

    @_plainly
    def records(self, sweep_id: str) -> list[TrialRecord]:
        runs = self._ended(self._run(sweep_id).info.experiment_id, sweep_id)
        records = [layout.record_of(run.data.tags) for run in runs]
        return list({record.trial: record for record in records}.values())

    @_plainly
    def update(self, sweep_id: str, front: Front) -> None:
        self._write(self._run(sweep_id), [_document(front)])

    @_plainly
    def close(
        self, sweep_id: str, status: Status, front: Front | None, pictures: Sequence[Picture]
    ) -> None:
        self._write(self._run(sweep_id), [*([_document(front)] if front else []), *pictures])
        self._client.set_terminated(sweep_id, _RUN_STATUS[status])

    @_plainly
    def address(self, sweep_id: str) -> str:
        place = page(self._run(sweep_id).info.experiment_id, sweep_id)
        if is_server(self.uri):
            return f"{shown(self.uri).rstrip('/')}/{place}"
        return f"paretoib ui, then http://127.0.0.1:{PORT}/{place}"

    def _open(self) -> MlflowClient:
        with ready(self.uri):
            try:
                return MlflowClient(self.uri, self.uri)
            except Exception as error:  # MLflow, SQLAlchemy, Alembic, a driver: each has its own
                raise self._failure("cannot open", error) from error

    def _failure(self, what: str, error: Exception) -> StoreError:
        # Of a database's error the driver's words say most.
        said = getattr(error.__cause__, "orig", None) or error
        line = str(said).strip().partition("\n")[0]
        return StoreError(f"{what} the store {shown(self.uri)}: {line}")

    def _experiment(self, dataset: str) -> str:
        name = layout.experiment_name(dataset)
        if found := self._client.get_experiment_by_name(name):
            return found.experiment_id
        place = None if is_server(self.uri) else (artifact_root(self.uri) / name).as_uri()
        try:
            # Without the tag MLflow asks whether the experiment is about language models.
            kind = {"mlflow.experimentKind": "custom_model_development"}
            return self._client.create_experiment(name, artifact_location=place, tags=kind)
        except MlflowException:
            # Another process may have made it since.
            if found := self._client.get_experiment_by_name(name):
                return found.experiment_id
            raise

    def _run(self, sweep_id: str) -> Run:
        try:
            run = self._client.get_run(sweep_id)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise not_found(sweep_id) from error
            raise
        if not layout.is_sweep(run.data.tags):
            raise not_found(sweep_id)
        return run

    def _search(self, experiment_ids: list[str], condition: str) -> Iterator[Run]:
        token = None
        while True:
            found = self._client.search_runs(experiment_ids, condition, page_token=token)
            yield from found
            if not (token := found.token):
                return

    def _trials(self, experiment_id: str, sweep_id: str, status: str) -> list[Run]:
        of_sweep = f"tags.`mlflow.parentRunId` = '{sweep_id}'"
        found = self._search([experiment_id], f"{of_sweep} AND attributes.status {status}")
        return [run for run in found if layout.is_trial(run.data.tags)]

    def _ended(self, experiment_id: str, sweep_id: str) -> list[Run]:
        return sorted(
            self._trials(experiment_id, sweep_id, "!= 'RUNNING'"),
            key=lambda run: layout.order_of(run.data.tags),
        )

    def _take_up(self, sweep_id: str) -> _Writing:
        run = self._run(sweep_id)
        experiment_id = run.info.experiment_id
        for cut_off in self._trials(experiment_id, sweep_id, "= 'RUNNING'"):
            self._client.delete_run(cut_off.info.run_id)
        ended = self._ended(experiment_id, sweep_id)
        records = [layout.record_of(trial.data.tags) for trial in ended]
        return _Writing(
            experiment_id=experiment_id,
            spec=layout.spec_of(run.data.tags),
            keys={record.trial for record in records},
            failed=sum(record.status != "finished" for record in records),
            next_order=layout.order_of(ended[-1].data.tags) + 1 if ended else 0,
        )

    def _add_run(self, sweep_id: str, sweep: _Writing, record: TrialRecord) -> None:
        run = self._client.create_run(
            sweep.experiment_id,
            start_time=int((time.time() - record.seconds) * 1000),
            run_name=layout.trial_name(record.spec, sweep.spec),
            tags={**layout.trial_tags(sweep_id, record, sweep.next_order), **_source()},
        )
        params = {name: str(value) for name, value in layout.fields(record.spec).items()}
        self._log(run.info.run_id, params=params, metrics=layout.trial_metrics(record))
        if record.history:
            history = json.dumps({name: list(values) for name, values in record.history.items()})
            self._write(run, [Picture("history.json", history.encode())])
        ended = "FINISHED" if record.status == "finished" else "FAILED"
        self._client.set_terminated(run.info.run_id, ended)

    def _log(
        self,
        run_id: str,
        *,
        params: Mapping[str, str] | None = None,
        metrics: Sequence[tuple[str, float, int]] = (),
    ) -> None:
        now = int(time.time() * 1000)
        self._client.log_batch(
            run_id,
            params=[Param(name, value) for name, value in (params or {}).items()],
            metrics=[Metric(name, value, now, step) for name, value, step in metrics],
            synchronous=True,
        )

    def _write(self, run: Run, files: Sequence[Picture]) -> None:
        place = run.info.artifact_uri
        if place.startswith("file://"):
            write_files(place, files)
            return
        with tempfile.TemporaryDirectory() as folder:
            write_files(Path(folder).as_uri(), files)
            self._client.log_artifacts(run.info.run_id, folder)


def _info(run: Run) -> SweepInfo:
    spec = layout.spec_of(run.data.tags)
    return SweepInfo(
        id=run.info.run_id,
        name=run.info.run_name,
        method=spec["method"],
        dataset=spec["data"]["name"],
        status=_STATUS[run.info.status],
        spec=spec,
    )


def _document(front: Front) -> Picture:
    return Picture("front.json", front.to_json(indent=2).encode())


@cache
def _source() -> dict[str, str]:
    tags = {"mlflow.source.name": "paretoib"}
    # Not every account has a name: a container may run under any number.
    with suppress(KeyError, OSError):
        tags["mlflow.user"] = getuser()
    return tags
