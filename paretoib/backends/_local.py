"""The backend for this machine, on the configured store."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from paretoib.backends._base import Backend, SweepReference, ignore_progress
from paretoib.errors import NotFoundError, ParetoIBError
from paretoib.records import Front, OnProgress, SweepState
from paretoib.tracking import HEARTBEAT_SECONDS, Reader, read_front, reader, tracker, ui

if TYPE_CHECKING:
    from paretoib.specs import SweepSpec

POLL_SECONDS = 1.0  # minimum time between two reads in `watch`
# The `Popen` objects are kept, because one that is deleted while its process runs prints a warning.
_submitted: list["subprocess.Popen[bytes]"] = []


class LocalBackend(Backend):
    """The sweeps in the configured store; `run` and `resume` run them in this process."""

    starting = "starting Ray and loading the data"

    @cached_property
    def _store(self) -> Reader:
        return reader()

    def find(self, sweep: SweepReference) -> SweepState:
        return self._store.find(sweep) if isinstance(sweep, str) else self._store.state(sweep.id)

    def list(self) -> Sequence[SweepState]:
        return self._store.sweeps()

    def front(self, sweep: SweepReference) -> Front:
        return read_front(self._store, self.find(sweep))

    def history(self, sweep: SweepReference, trial: str) -> Mapping[str, Sequence[float | None]]:
        return self._store.history(self._id(sweep), trial)

    def page(self, sweep: SweepState) -> str:
        url = sweep.mlflow_url or ""
        return f"paretoib ui, then {url}" if ui().command else url

    def catalogue(self, kind: str) -> Mapping[str, Mapping[str, Any]]:
        from paretoib.catalogue import catalogue

        return catalogue(kind)

    def submit(self, spec: "SweepSpec") -> SweepState:
        """Run the sweep in another process; returns once the sweep has begun.

        Raises `ParetoIBError` with the reason if the process ends before the sweep begins.
        """
        store = tracker()
        sweep_id = store.create(spec).id
        job = subprocess.Popen(
            # -P: a `jobs.py` in the working directory is not imported.
            [sys.executable, "-P", "-m", "jobs.sweep", sweep_id],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
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

        return run_sweep(spec, on_progress=on_progress)

    def resume(
        self, sweep: SweepReference, *, on_progress: OnProgress = ignore_progress
    ) -> Front | None:
        from jobs.sweep import resume_sweep

        return resume_sweep(self._id(sweep), on_progress=on_progress)

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

    def _id(self, sweep: SweepReference) -> str:
        return self.find(sweep).id if isinstance(sweep, str) else sweep.id
