"""Sweeps and trials in MLflow, to write.

A trial's run is made RUNNING and gets its final status last, so that one call makes it there for
readers; a run that is still RUNNING when the sweep's next writer comes, or when the present one
tries again, was cut off and is removed.
"""

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import cache
from getpass import getuser
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from paretoib.records import Front, Status, SweepInfo, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import _heartbeat as presence
from paretoib.tracking._lookup import check_same_ruler, one_writer, taken_over
from paretoib.tracking._mlflow import layout
from paretoib.tracking._mlflow.location import (
    artifact_root,
    is_server,
    local_folder,
    ready,
    write_files,
)
from paretoib.tracking._mlflow.reader import MLflowReader, as_store_error, info_of
from paretoib.tracking._mlflow.steps import Steps
from paretoib.tracking._mlflow.view import note, view
from paretoib.tracking._tracker import EndedTrial, File, Ruler

_RUN_STATUS: dict[Status, str] = {
    "running": "RUNNING",
    "finished": "FINISHED",
    "interrupted": "KILLED",
    "failed": "FAILED",
}
# Of a trial; any other status is a failure.
_TRIAL_STATUS = {"finished": "FINISHED", "stopped": "KILLED"}
_TRIAL_ENDED = {run_status: status for status, run_status in _TRIAL_STATUS.items()}


@dataclass
class _Writing:
    """What the writer of a sweep knows of it, so that adding a trial reads nothing."""

    experiment_id: str
    spec: dict[str, Any]
    steps: Steps
    next_order: int


class MLflowTracker(MLflowReader):
    """Sweeps in an MLflow store, by default the configured one; a new SQLite store is made.

    A server keeps the artefacts too; for a database they lie in a folder (`artifact_root`).
    """

    def __init__(self, uri: str | None = None) -> None:
        super().__init__(uri)
        self._writing: dict[str, _Writing] = {}
        # Of the sweeps that this process has begun: when it last gave a sign of life.
        self._signs: dict[str, float] = {}

    @as_store_error
    def create(self, spec: SweepSpec, marks: Mapping[str, str] | None = None) -> SweepInfo:
        """A new sweep, running; `marks` are tags that it has from the first moment."""
        experiment_id = self._experiment(spec.data.name)
        tags = {**layout.sweep_tags(spec), **_source(), **(marks or {})}
        run = self._client.create_run(experiment_id, run_name=spec.name, tags=tags)
        sweep_id = run.info.run_id
        described = note(spec, experiment_id, sweep_id)
        self._log(
            sweep_id, params=layout.sweep_params(spec), tags={"mlflow.note.content": described}
        )
        for key, value in view(spec, sweep_id, run.info.start_time).items():
            self._client.set_experiment_tag(experiment_id, key, value)
        self._write(run, [File("spec.json", spec.to_json().encode())])
        return info_of(run)

    @as_store_error
    def begin(self, sweep_id: str, ruler: Ruler) -> None:
        run = self._run(sweep_id)
        if run.info.status == "RUNNING" and (other := presence.other_writer(run.data.tags)):
            raise one_writer(sweep_id, other)
        check_same_ruler(layout.ruler_of(run.data.tags) or ruler, ruler)
        self._remove_cut_off(run.info.experiment_id, sweep_id)
        tags = {**layout.ruler_tag(ruler), **presence.NOT_CANCELLED}
        self._sign(sweep_id, params=layout.ruler_params(ruler), tags=tags)
        if run.info.status != "RUNNING":
            self._client.update_run(sweep_id, status="RUNNING")

    @as_store_error
    def heartbeat(self, sweep_id: str) -> bool:
        run = self._run(sweep_id)
        self._check_held(run)
        self._sign(sweep_id)
        return presence.is_cancelled(run.data.tags)

    @as_store_error
    def cancel(self, sweep_id: str) -> None:
        self._log(self._run(sweep_id).info.run_id, tags=presence.CANCELLED)

    @as_store_error
    def add(self, sweep_id: str, ended: Sequence[EndedTrial]) -> None:
        if presence.silent(self._signs.get(sweep_id), presence.STALE_SECONDS / 2):
            self.heartbeat(sweep_id)  # which may have been taken over
        # Put back when all trials are wholly there: after a failure the sweep is taken up anew.
        sweep = self._writing.pop(sweep_id, None) or self._take_up(sweep_id)
        for one in ended:
            if one.record.trial not in sweep.steps:
                self._add_run(sweep_id, sweep, one.record)
                sweep.steps.add(one.record.trial, one.record.status)
                sweep.next_order += 1
        self._log(sweep_id, metrics=list(sweep.steps.points(ended)))
        self._writing[sweep_id] = sweep

    @as_store_error
    def update(self, sweep_id: str, front: Front) -> None:
        self._write(self._run_held(sweep_id), [_document(front)])

    @as_store_error
    def flush(self, sweep_id: str) -> None:
        self._run(sweep_id)

    def stop_waiting(self, sweep_id: str) -> None:
        """Nothing is waited for beyond one request."""

    @as_store_error
    def close(
        self, sweep_id: str, status: Status, front: Front | None, pictures: Sequence[File]
    ) -> None:
        files = [*([_document(front)] if front else []), *pictures]
        self._write(self._run_held(sweep_id), files)
        self._client.set_terminated(sweep_id, _RUN_STATUS[status])
        self._signs.pop(sweep_id, None)

    def _opened(self) -> AbstractContextManager[str]:
        return ready(self.uri)

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

    def _run_held(self, sweep_id: str) -> Run:
        """The sweep's run, to be written; one that this process has begun it must still have."""
        run = self._run(sweep_id)
        if sweep_id in self._signs:
            self._check_held(run)
        return run

    def _check_held(self, run: Run) -> None:
        if other := presence.successor(run.data.tags):
            # So that `add` looks, too, however short the silence was.
            self._signs[run.info.run_id] = 0.0
            raise taken_over(run.info.run_id, other)

    def _sign(
        self,
        sweep_id: str,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Give a sign of life, and log this with it."""
        now = time.time()  # before the store takes its time
        self._log(sweep_id, params=params, tags={**(tags or {}), **presence.alive()})
        self._signs[sweep_id] = now

    def _take_up(self, sweep_id: str) -> _Writing:
        run = self._run(sweep_id)
        experiment_id = run.info.experiment_id
        self._remove_cut_off(experiment_id, sweep_id)
        ended = self._ended(experiment_id, sweep_id, _outline)
        return _Writing(
            experiment_id=experiment_id,
            spec=layout.spec_of(run.data.tags),
            steps=Steps((outline for _, outline in ended), run.data.metrics),
            next_order=ended[-1][0] + 1 if ended else 0,
        )

    def _remove_cut_off(self, experiment_id: str, sweep_id: str) -> None:
        for run in list(self._search([experiment_id], layout.running_trials(sweep_id))):
            if layout.is_trial(run.data.tags):
                self._client.delete_run(run.info.run_id)

    def _add_run(self, sweep_id: str, sweep: _Writing, record: TrialRecord) -> None:
        run = self._client.create_run(
            sweep.experiment_id,
            start_time=int((time.time() - record.seconds) * 1000),
            run_name=layout.trial_name(record.spec, sweep.spec),
            tags={**layout.trial_tags(sweep_id, record, sweep.next_order), **_source()},
        )
        params = {name: str(value) for name, value in layout.fields(record.spec).items()}
        self._log(run.info.run_id, params=params, metrics=layout.trial_metrics(record))
        history = json.dumps({name: list(values) for name, values in record.history.items()})
        self._write(run, [File(layout.HISTORY, history.encode())])
        self._client.set_terminated(run.info.run_id, _TRIAL_STATUS.get(record.status, "FAILED"))

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

    def _write(self, run: Run, files: Sequence[File]) -> None:
        if folder := local_folder(run.info.artifact_uri):
            write_files(folder, files)
            return
        with tempfile.TemporaryDirectory() as scratch:
            write_files(Path(scratch), files)
            self._client.log_artifacts(run.info.run_id, scratch)


def _outline(run: Run) -> tuple[str, str]:
    """An ended trial's key and status."""
    return layout.trial_of(run.data.tags), _TRIAL_ENDED.get(run.info.status, "failed")


def _document(front: Front) -> File:
    return File("front.json", front.to_json(indent=2).encode())


@cache
def _source() -> dict[str, str]:
    tags = {"mlflow.source.name": "paretoib"}
    # Not every account has a name: a container may run under any number.
    with suppress(KeyError, OSError):
        tags["mlflow.user"] = getuser()
    return tags
