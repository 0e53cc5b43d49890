"""The backend for this machine, on the configured store."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from paretoib.backends._base import (
    NO_TAGS,
    Backend,
    SweepReference,
    ignore_progress,
    with_conditions,
)
from paretoib.errors import NotFoundError, ParetoIBError
from paretoib.records import Front, LogPart, ModelFiles, OnProgress, SweepState, TrialRecord
from paretoib.settings import settings
from paretoib.tracking import (
    HEARTBEAT_SECONDS,
    TAIL,
    Reader,
    extended_spec,
    log_path,
    read_front,
    read_log,
    reader,
    tracker,
    ui,
)

if TYPE_CHECKING:
    from paretoib.specs import Additions, SweepSpec

POLL_SECONDS = 1.0  # minimum time between two reads in `watch`
# The `Popen` objects are kept, because one that is deleted while its process runs prints a warning.
_submitted: list["subprocess.Popen[bytes]"] = []


class LocalBackend(Backend):
    """The sweeps in the configured store; `run`, `resume` and `extend` run in this process."""

    starting = "starting Ray and loading the data"

    @cached_property
    def _store(self) -> Reader:
        return reader()

    def find(self, sweep: SweepReference) -> SweepState:
        return self._store.find(sweep) if isinstance(sweep, str) else self._store.state(sweep.id)

    def list(
        self, *, archived: bool = False, tags: Mapping[str, str | None] = NO_TAGS
    ) -> Sequence[SweepState]:
        return [
            state
            for state in self._store.sweeps()
            if (archived or not state.archived) and state.has_tags(tags)
        ]

    def front(self, sweep: SweepReference, *, where: Sequence[str] = ()) -> Front:
        return with_conditions(read_front(self._store, self.find(sweep)), where)

    def trials(self, sweep: SweepReference) -> Sequence[TrialRecord]:
        return self._store.records(self._id(sweep))

    def models(self, sweep: SweepReference) -> ModelFiles:
        return self._store.models(self._id(sweep))

    def open_model(self, sweep: SweepReference, trial: str) -> IO[bytes]:
        return self._store.open_model(self._id(sweep), trial)

    def history(self, sweep: SweepReference, trial: str) -> Mapping[str, Sequence[float | None]]:
        return self._store.history(self._id(sweep), trial)

    def logs(self, sweep: SweepReference, *, after: int | None = None, tail: int = TAIL) -> LogPart:
        return read_log(self.find(sweep), after, tail)

    def page(self, sweep: SweepState) -> str:
        url = sweep.mlflow_url or ""
        return f"paretoib ui, then {url}" if ui().command else url

    def catalogue(self, kind: str) -> Mapping[str, Mapping[str, Any]]:
        from paretoib.catalogue import catalogue

        return catalogue(kind, local=True)

    def submit(self, spec: "SweepSpec") -> SweepState:
        """Run the sweep in another process; returns once the sweep has begun.

        Raises `ParetoIBError` with the reason if the process ends before the sweep begins.
        """
        store = tracker()
        sweep_id = store.create(spec).id
        with _open_log(sweep_id) as log:
            job = subprocess.Popen(
                # -P: a `jobs.py` in the working directory is not imported.
                [sys.executable, "-P", "-m", "jobs.sweep", sweep_id],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _submitted.append(job)
        while not (state := store.state(sweep_id)).begun:
            if job.poll() is not None and not (state := store.state(sweep_id)).begun:
                if state.status == "running":
                    reason = f"its process ended with exit code {job.returncode}"
                    store.close(sweep_id, "failed", None, [], reason)
                    state = store.state(sweep_id)
                raise ParetoIBError(f"sweep {sweep_id[:8]} could not begin: {state.reason}")
            time.sleep(0.1)
        return state

    def run(self, spec: "SweepSpec", *, on_progress: OnProgress = ignore_progress) -> Front | None:
        from jobs.sweep import run_sweep

        return run_sweep(spec, on_progress=on_progress, log_path=log_path)

    def resume(
        self, sweep: SweepReference, *, on_progress: OnProgress = ignore_progress
    ) -> Front | None:
        if (state := self.find(sweep)).complete:
            on_progress(state)
            return read_front(self._store, state)
        from jobs.sweep import resume_sweep

        return resume_sweep(state.id, on_progress=on_progress, log_path=log_path)

    def extend(
        self,
        sweep: SweepReference,
        additions: "Additions",
        *,
        on_progress: OnProgress = ignore_progress,
    ) -> Front | None:
        state = self.find(sweep)
        spec = extended_spec(state, additions)
        from jobs.sweep import run_sweep

        return run_sweep(
            spec, sweep_id=state.id, extends=True, on_progress=on_progress, log_path=log_path
        )

    def watch(
        self, sweep: SweepReference, *, on_progress: OnProgress = ignore_progress
    ) -> Front | None:
        sweep_id = self._id(sweep)
        patience = 1
        while True:
            began = time.monotonic()
            state = self._store.state(sweep_id)
            if state.stale and patience:
                # The first read may look stale only because the writer's clock differs from ours. A
                # new heartbeat after the wait shows that the writer lives.
                patience -= 1
                time.sleep(1.5 * HEARTBEAT_SECONDS)
                continue
            on_progress(state)
            if state.status != "running":
                with suppress(NotFoundError):
                    return read_front(self._store, state)
                return None
            # Reading a large store is slow: spend at most a fifth of the time on reads.
            time.sleep(max(POLL_SECONDS, 4 * (time.monotonic() - began)))

    def cancel(self, sweep: SweepReference) -> None:
        tracker().cancel(self._id(sweep))

    def archive(self, sweep: SweepReference, *, undo: bool = False) -> SweepState:
        store, sweep_id = tracker(), self._id(sweep)
        store.archive(sweep_id, not undo)
        return store.state(sweep_id)

    def note(self, sweep: SweepReference, text: str) -> SweepState:
        store, sweep_id = tracker(), self._id(sweep)
        store.set_note(sweep_id, text)
        return store.state(sweep_id)

    def tag(self, sweep: SweepReference, changes: Mapping[str, str | None]) -> SweepState:
        store, sweep_id = tracker(), self._id(sweep)
        store.set_tags(sweep_id, changes)
        return store.state(sweep_id)

    def delete(self, sweep: SweepReference) -> None:
        sweep_id = self._id(sweep)
        tracker().delete(sweep_id)
        shutil.rmtree(settings().checkpoint_folder(sweep_id), ignore_errors=True)

    def restore(self, sweep: str) -> SweepState:
        return tracker().restore(sweep)

    def _id(self, sweep: SweepReference) -> str:
        return self.find(sweep).id if isinstance(sweep, str) else sweep.id


def _open_log(sweep_id: str) -> IO[bytes]:
    """The log of a sweep, open to append; where it cannot be written, the sweep has no log."""
    path = log_path(sweep_id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError:
        return Path(os.devnull).open("ab")
