"""Write sweeps and trials to MLflow.

A trial's run is created as RUNNING and gets its final status last, so that readers see a complete
trial or none. A run that is still RUNNING when the sweep's next writer begins, or when this writer
retries, is half-written and is deleted.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from functools import cache
from getpass import getuser
from io import BytesIO
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from paretoib.errors import DeletedExperimentError, ModelNotStoredError, StoreUnavailableError
from paretoib.records import Front, RunningPacks, Status, SweepState, Workers
from paretoib.specs import SweepSpec
from paretoib.tracking import _heartbeat
from paretoib.tracking._annotations import check_tags, checked_note
from paretoib.tracking._extension import check_ended, check_next_extension
from paretoib.tracking._lookup import (
    check_not_running,
    check_same_ruler,
    find_deleted,
    one_writer,
    taken_over,
)
from paretoib.tracking._mlflow import layout
from paretoib.tracking._mlflow.client import ClientRuns, stored_run
from paretoib.tracking._mlflow.location import (
    artifact_folder,
    artifact_root,
    is_server,
    writable,
    write_files,
    write_model,
)
from paretoib.tracking._mlflow.reader import MLflowReader, as_store_error, deleted_experiment
from paretoib.tracking._mlflow.runs import Runs, StoredRun
from paretoib.tracking._mlflow.steps import Steps
from paretoib.tracking._mlflow.view import description, view
from paretoib.tracking._tracker import HEARTBEAT_SECONDS, EndedTrial, File, Ruler, Tags
from paretoib.trained import MLMODEL_FILE, mlmodel, read_header

_RUN_STATUS: dict[Status, str] = {
    "running": "RUNNING",
    "finished": "FINISHED",
    "cancelled": "KILLED",  # with a request to cancel
    "interrupted": "KILLED",
    "failed": "FAILED",
}
# The run status for a trial status; it is FAILED for any other trial status.
_TRIAL_STATUS = {"finished": "FINISHED", "stopped": "KILLED"}
# The tags of a sweep that has begun or is extended, in place of those from its end.
_NOT_ENDED = {**_heartbeat.CANCEL_NOT_REQUESTED, layout.REASON: ""}
_TAGS_PER_REQUEST = 90  # MLflow's limit is 100
_TRIAL_ENDED = {run_status: status for status, run_status in _TRIAL_STATUS.items()}


@dataclass
class _WriteCache:
    """The writer's cache of a sweep, so that adding a trial reads nothing from the store."""

    experiment_id: str
    spec: dict[str, Any]
    digits: dict[str, int]
    steps: Steps
    next_order: int
    runs: dict[str, str]  # the id of each trial's run
    front: dict[str, dict[str, float]]  # the front's trials, with their metrics as last logged


class MLflowTracker(MLflowReader):
    """The sweeps of an MLflow store, by default the configured one.

    A missing SQLite file is created. An MLflow server stores the artifacts too; for a database they
    are in a folder (`artifact_root`).
    """

    def __init__(self, uri: str | None = None, ui_url: str | None = None) -> None:
        super().__init__(uri, ui_url)
        self._caches: dict[str, _WriteCache] = {}
        # The last heartbeat of each sweep that this process has begun.
        self._heartbeats: dict[str, float] = {}

    @as_store_error
    def create(self, spec: SweepSpec) -> SweepState:
        return self._create(spec)

    def _create(self, spec: SweepSpec, more_tags: Mapping[str, str] | None = None) -> SweepState:
        """Create a sweep. Its run has `more_tags` from the start."""
        experiment_id = self._experiment(spec.data.name)
        tags = {**layout.sweep_tags(spec), **_source(), **(more_tags or {})}
        run = stored_run(self._client.create_run(experiment_id, run_name=spec.name, tags=tags))
        self._log(run.id, params=layout.sweep_params(spec), tags=description(run, spec.document))
        self._write_spec(run, spec)
        return self._state(run)

    @as_store_error
    def extend(self, sweep_id: str, spec: SweepSpec) -> SweepState:
        run = self._run_to_extend(sweep_id, spec)
        # The status comes first, so that a sweep whose process is killed here can be resumed.
        self._send_heartbeat(sweep_id, tags=_NOT_ENDED)
        self._client.update_run(sweep_id, status="RUNNING")
        return self._write_extension(run, spec)

    def _run_to_extend(self, sweep_id: str, spec: SweepSpec) -> StoredRun:
        """The run of a sweep that has ended; `StoreError` unless `spec` extends its stored spec."""
        run = self._run(sweep_id)
        check_ended(self._state(run))
        if run.status == "RUNNING":
            self._check_no_other_writer(sweep_id, run.tags)
        check_next_extension(sweep_id, layout.spec_of(run.tags), spec)
        return run

    def _write_extension(self, run: StoredRun, spec: SweepSpec) -> SweepState:
        """Replace the spec of a sweep whose status is running since `_run_to_extend`."""
        parts, name = layout.extension_tags(spec)
        for i in range(0, len(parts), _TAGS_PER_REQUEST):
            self._log(run.id, tags=dict([*parts.items()][i : i + _TAGS_PER_REQUEST]))
        # Another process may have written an extension since the spec was read.
        tags = self._run_to_write(run.id).tags
        check_next_extension(run.id, layout.spec_of(tags), spec)
        self._log(run.id, tags={**name, **description(run, spec.document)})
        self._write_spec(run, spec)
        self._caches.pop(run.id, None)
        return self._state(self._run(run.id))

    def _write_spec(self, run: StoredRun, spec: SweepSpec) -> None:
        """Write what MLflow's UI shows of a spec: the file and the saved view of the trials."""
        for key, value in view(spec, run.id, run.start_time).items():
            self._client.set_experiment_tag(run.experiment_id, key, value)
        self._write(run, [File("spec.json", spec.to_json().encode())])

    @as_store_error
    def begin(
        self,
        sweep_id: str,
        ruler: Ruler,
        workers: Workers | None = None,
        models_mb: float | None = None,
    ) -> None:
        run = self._run(sweep_id)
        if run.status == "RUNNING":
            self._check_no_other_writer(sweep_id, run.tags)
        check_same_ruler(layout.ruler_of(run.tags) or ruler, ruler)
        self._delete_half_written(run.experiment_id, sweep_id)
        # A process that only closes the sweep has no workers, and keeps those of the last run.
        running = layout.packs_tag(None) | (layout.workers_tag(workers) if workers else {})
        running |= layout.models_mb_tag(models_mb)
        tags = {**layout.ruler_tag(ruler), **running, **_NOT_ENDED}
        self._send_heartbeat(sweep_id, params=layout.ruler_params(ruler), tags=tags)
        if run.status != "RUNNING":
            self._client.update_run(sweep_id, status="RUNNING")

    @as_store_error
    def heartbeat(self, sweep_id: str, packs: RunningPacks | None = None) -> bool:
        run = self._run(sweep_id)
        self._check_not_taken_over(run)
        self._send_heartbeat(sweep_id, tags=layout.packs_tag(packs))
        return _heartbeat.is_cancel_requested(run.tags)

    @as_store_error
    def cancel(self, sweep_id: str) -> None:
        self._log(self._run(sweep_id).id, tags=_heartbeat.CANCEL_REQUESTED)

    @as_store_error
    def add(self, sweep_id: str, trials: Sequence[EndedTrial]) -> None:
        if _heartbeat.is_stale(self._heartbeats.get(sweep_id), _heartbeat.STALE_SECONDS / 2):
            self.heartbeat(sweep_id)  # raises if another process has taken the sweep over
        # After a failure the cache may be wrong, so it is kept only if every write succeeds.
        sweep = self._caches.pop(sweep_id, None) or self._read_for_writing(sweep_id)
        for trial in trials:
            if trial.record.trial not in sweep.steps:
                sweep.runs[trial.record.trial] = self._add_run(sweep_id, sweep, trial)
                sweep.steps.add(trial.record.trial, trial.record.status)
                sweep.next_order += 1
        self._log(sweep_id, metrics=list(sweep.steps.points(trials)))
        self._caches[sweep_id] = sweep

    @as_store_error
    def drop_models(self, sweep_id: str, trials: Collection[str], reason: str) -> None:
        self._run_to_write(sweep_id)
        sweep = self._caches.pop(sweep_id, None) or self._read_for_writing(sweep_id)
        for trial in trials:
            if (run := self._runs.get(sweep.runs.get(trial, ""))) is None:
                continue
            if (file := layout.model_of(run.tags)) and file.kept:
                self._delete_model(run)
                self._log(
                    run.id, tags=layout.model_tags(file.model_copy(update={"missing": reason}))
                )
        self._caches[sweep_id] = sweep

    @as_store_error
    def update(self, sweep_id: str, front: Front) -> None:
        self._write(self._run_to_write(sweep_id), [_document(front)])
        self._log_front(sweep_id, front)

    @as_store_error
    def flush(self, sweep_id: str) -> None:
        self._run(sweep_id)

    def stop_waiting(self, sweep_id: str) -> None:
        """Do nothing: no call is retried here."""

    @as_store_error
    def close(
        self,
        sweep_id: str,
        status: Status,
        front: Front | None,
        pictures: Sequence[File],
        reason: str | None = None,
    ) -> None:
        files = [*([_document(front)] if front else []), *pictures]
        self._write(self._run_to_write(sweep_id), files)
        if front:
            self._log_front(sweep_id, front)
        tags = {layout.REASON: reason[: layout.LONGEST_REASON]} if reason else {}
        if status == "cancelled":
            tags |= _heartbeat.CANCEL_REQUESTED
        if tags:
            self._log(sweep_id, tags=tags)
        self._client.set_terminated(sweep_id, _RUN_STATUS[status])
        self._heartbeats.pop(sweep_id, None)

    @as_store_error
    def archive(self, sweep_id: str, archived: bool) -> None:
        self._log(self._run(sweep_id).id, tags=layout.archived_tag(archived))

    @as_store_error
    def set_note(self, sweep_id: str, note: str) -> None:
        run, checked = self._run(sweep_id), checked_note(note)
        self._log(sweep_id, tags=description(run, layout.spec_of(run.tags), checked))

    @as_store_error
    def set_tags(self, sweep_id: str, changes: Mapping[str, str | None]) -> None:
        check_tags(layout.user_tags(self._run(sweep_id).tags), changes)
        self._log(sweep_id, tags={name: value for name, value in changes.items() if value})
        for name in (name for name, value in changes.items() if value is None):
            self._client.delete_tag(sweep_id, name)

    @as_store_error
    def delete(self, sweep_id: str) -> None:
        run = self._run(sweep_id)
        check_not_running(self._state(run))
        if run.status == "RUNNING":
            self._check_no_other_writer(sweep_id, run.tags)
        # The sweep's run goes last, so that `delete` can be repeated if it was interrupted.
        for trial in [*self._runs.search([run.experiment_id], layout.trials(sweep_id))]:
            self._client.delete_run(trial.id)
        self._client.delete_run(sweep_id)
        self._caches.pop(sweep_id, None)

    @as_store_error
    def restore(self, sweep: str) -> SweepState:
        deleted = {run.id: run for run in self._sweeps(replace(layout.SWEEPS, active=False))}
        sweep_id = find_deleted(sweep, [self._state(run) for run in deleted.values()]).id
        # Half-written trials stay deleted.
        ended = replace(layout.trials(sweep_id), running=False, active=False)
        for trial in [*self._runs.search([deleted[sweep_id].experiment_id], ended)]:
            self._client.restore_run(trial.id)
        self._client.restore_run(sweep_id)
        return self._state(self._run(sweep_id))

    def _open(self, address: str) -> Runs:
        runs = ClientRuns(address)
        self._client = runs.client
        return runs

    def _checked_address(self) -> AbstractContextManager[str]:
        return writable(self.uri)

    def _experiment(self, dataset: str) -> str:
        name = layout.experiment_name(dataset)
        if found := self._client.get_experiment_by_name(name):
            if found.lifecycle_stage != "active":
                raise DeletedExperimentError(deleted_experiment(found.experiment_id, name))
            return found.experiment_id
        folder = None if is_server(self.uri) else (artifact_root(self.uri) / name).as_uri()
        try:
            # Without this tag, MLflow asks whether the experiment is about language models.
            kind = {"mlflow.experimentKind": "custom_model_development"}
            return self._client.create_experiment(name, artifact_location=folder, tags=kind)
        except MlflowException:
            # Another process may have created the experiment since.
            if found := self._client.get_experiment_by_name(name):
                return found.experiment_id
            raise

    def _run_to_write(self, sweep_id: str) -> StoredRun:
        """The sweep's run, for a write.

        Raises `TakenOverError` if this process began the sweep and another process has taken it
        over.
        """
        run = self._run(sweep_id)
        if sweep_id in self._heartbeats:
            self._check_not_taken_over(run)
        return run

    def _check_no_other_writer(self, sweep_id: str, tags: Tags) -> None:
        if other := _heartbeat.other_writer(tags):
            raise one_writer(sweep_id, other)
        if not _heartbeat.may_have_other_clock(tags):
            return
        # The first read may look stale only because the writer's clock differs from ours. A new
        # heartbeat after the wait shows that the writer lives.
        time.sleep(1.5 * HEARTBEAT_SECONDS)
        later = self._run(sweep_id).tags
        if _heartbeat.last_heartbeat(later) != _heartbeat.last_heartbeat(tags):
            raise one_writer(sweep_id, f"{_heartbeat.described_writer(later)}, whose clock differs")

    def _check_not_taken_over(self, run: StoredRun) -> None:
        if other := _heartbeat.successor(run.tags):
            # Make the next `add` check too, even if the last heartbeat is recent.
            self._heartbeats[run.id] = 0.0
            raise taken_over(run.id, other)

    def _send_heartbeat(
        self,
        sweep_id: str,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write a heartbeat, together with these params and tags."""
        now = time.time()  # before the request, which may take a while
        self._log(sweep_id, params=params, tags={**(tags or {}), **_heartbeat.heartbeat_tag()})
        self._heartbeats[sweep_id] = now

    def _read_for_writing(self, sweep_id: str) -> _WriteCache:
        run = self._run(sweep_id)
        experiment_id = run.experiment_id
        self._delete_half_written(experiment_id, sweep_id)
        ended = self._ended(experiment_id, sweep_id, _outline)
        trials = [outline for _, outline in ended]
        spec = layout.spec_of(run.tags)
        return _WriteCache(
            experiment_id=experiment_id,
            spec=spec,
            digits=layout.name_digits(spec),
            steps=Steps(((trial.key, trial.status) for trial in trials), run.metrics),
            next_order=ended[-1][0] + 1 if ended else 0,
            runs={trial.key: trial.run for trial in trials},
            front={trial.key: trial.front for trial in trials if trial.front},
        )

    def _delete_half_written(self, experiment_id: str, sweep_id: str) -> None:
        for run in [*self._runs.search([experiment_id], layout.running_trials(sweep_id))]:
            if layout.is_trial(run.tags):
                self._client.delete_run(run.id)

    def _add_run(self, sweep_id: str, sweep: _WriteCache, trial: EndedTrial) -> str:
        """Write a trial; returns the id of its run."""
        record, file = trial.record, trial.model.file if trial.model else None
        created = self._client.create_run(
            sweep.experiment_id,
            start_time=int((time.time() - record.seconds) * 1000),
            run_name=layout.trial_name(record.spec, sweep.spec, sweep.digits),
            tags={**layout.trial_tags(sweep_id, record, sweep.next_order, file), **_source()},
        )
        run = stored_run(created)
        params = layout.trial_params(record)
        self._log(run.id, params=params, metrics=layout.trial_metrics(record))
        history = json.dumps({name: list(values) for name, values in record.history.items()})
        self._write(run, [File(layout.HISTORY, history.encode())])
        if trial.model and trial.model.content is not None:
            self._write_model(run, record.trial, trial.model.content)
        self._client.set_terminated(run.id, _TRIAL_STATUS.get(record.status, "FAILED"))
        return run.id

    def _write_model(self, run: StoredRun, trial: str, content: bytes | Path) -> None:
        """Write a model file, and beside it a description by which MLflow loads the model."""
        try:
            with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as opened:
                header = read_header(opened, f"the model of trial {trial}")
            description = File(MLMODEL_FILE, mlmodel(header, run.id).encode())
            if folder := artifact_folder(self.uri, run.artifact_uri):
                write_model(folder / layout.MODEL_FOLDER, content, description)
                return
            with tempfile.TemporaryDirectory() as scratch:
                write_model(Path(scratch), content, description)
                self._client.log_artifacts(run.id, scratch, layout.MODEL_FOLDER)
        except Exception as error:  # from MLflow, or the library of its storage
            failure = self._store_error("cannot write a model to", error)
            retryable = isinstance(failure, StoreUnavailableError)
            raise ModelNotStoredError(str(failure), trial, retryable=retryable) from error

    def _delete_model(self, run: StoredRun) -> None:
        """Delete the model file of a trial, if it has one."""
        if folder := artifact_folder(self.uri, run.artifact_uri):
            with suppress(FileNotFoundError):
                shutil.rmtree(folder / layout.MODEL_FOLDER)
            return
        try:
            address = self._client.tracking_uri
            artifacts = get_artifact_repository(run.artifact_uri, tracking_uri=address)
            artifacts.delete_artifacts(layout.MODEL_FOLDER)
        except Exception as error:  # from MLflow, or the library of its storage
            raise self._store_error("cannot delete a model from", error) from error

    def _log_front(self, sweep_id: str, front: Front) -> None:
        """Log which trials are on the front, and their hull gaps, as metrics of these trials.

        Only trials on the front, and those that have left it since the last call, are written.
        """
        sweep = self._caches.pop(sweep_id, None) or self._read_for_writing(sweep_id)
        on_front: dict[str, dict[str, float]] = {}
        for point in front.points:
            logged = sweep.front.get(point.trial)
            if point.trial not in sweep.runs or not (point.on_front or logged):
                continue
            metrics = layout.front_metrics(point)
            if metrics != logged:
                changed = [(name, value, 0) for name, value in metrics.items()]
                self._log(sweep.runs[point.trial], metrics=changed)
            if point.on_front:
                on_front[point.trial] = metrics
        sweep.front = on_front
        self._caches[sweep_id] = sweep

    def _log(
        self,
        run_id: str,
        *,
        params: Mapping[str, str] | None = None,
        metrics: Sequence[tuple[str, float, int]] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        now = int(time.time() * 1000)
        self._client.log_batch(
            run_id,
            params=[Param(name, value) for name, value in (params or {}).items()],
            metrics=[Metric(name, value, now, step) for name, value, step in metrics],
            tags=[RunTag(name, value) for name, value in (tags or {}).items()],
            synchronous=True,
        )

    def _write(self, run: StoredRun, files: Sequence[File]) -> None:
        if folder := artifact_folder(self.uri, run.artifact_uri):
            write_files(folder, files)
            return
        with tempfile.TemporaryDirectory() as scratch:
            write_files(Path(scratch), files)
            self._client.log_artifacts(run.id, scratch)


@dataclass(frozen=True)
class _Outline:
    """An ended trial: its key, its status, the id of its run, and its metrics if on the front."""

    key: str
    status: str
    run: str
    front: dict[str, float]


def _outline(run: StoredRun) -> _Outline:
    return _Outline(
        key=layout.trial_of(run.tags),
        status=_TRIAL_ENDED.get(run.status, "failed"),
        run=run.id,
        front=layout.logged_front_metrics(run.metrics),
    )


def _document(front: Front) -> File:
    return File("front.json", front.to_json(indent=2).encode())


@cache
def _source() -> dict[str, str]:
    tags = {"mlflow.source.name": "paretoib"}
    # A container may run under a user id without a name.
    with suppress(KeyError, OSError):
        tags["mlflow.user"] = getuser()
    return tags
