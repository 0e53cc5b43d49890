"""Submits, cancels, resumes, extends and deletes sweeps, and reconciles MLflow with Ray's jobs."""

import hashlib
import logging
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from typing import ParamSpec, TypeVar

import anyio
from anyio import to_thread

from jobs.submission import Jobs
from paretoib.errors import ClusterError, NotFoundError
from paretoib.records import RESUMABLE, LogPart, Status, SweepState
from paretoib.search import driver as new_driver
from paretoib.settings import settings
from paretoib.specs import Additions, SweepSpec
from paretoib.tracking import STALE_SECONDS, log_part, read_front, read_log, with_journals
from service.cache import SingleFlightCache
from service.limits import check_limits, limited_extension
from service.problems import ProblemError
from service.queries import SweepQueries
from service.settings import ServiceSettings

WATCH_SECONDS = 60.0  # after a change, Ray is polled every second for this long
START_SECONDS = 5.0  # Ray lists the new job of a resumed sweep within this time
BACKOFF_SECONDS = 5.0  # pause after a failed request to Ray, before the next request
QUEUE_TIMEOUT = 30.0  # seconds that a request waits for earlier requests

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger("paretoib.service")


class SweepController:
    """Changes sweeps, one call at a time (`queued`), and reconciles them with Ray.

    Changes are: submit, cancel, resume, extend, note, tag, archive, delete and restore.

    The controller stores nothing. MLflow holds the sweeps and the requests for which they were
    created; Ray knows which sweeps have a running job.
    """

    def __init__(self, queries: SweepQueries, jobs: Jobs, settings: ServiceSettings) -> None:
        self._queries = queries
        self._jobs = jobs
        self._settings = settings
        # A limiter of its own, so that the threads of the routes stay free when Ray hangs.
        self.limiter = anyio.CapacityLimiter(1)
        self._checks: SingleFlightCache[dict[str, bool]] = SingleFlightCache(2)
        self._watch_until = 0.0
        self._backoff_until = 0.0

    async def queued(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of a call that waits for earlier calls; `ProblemError` after a timeout."""
        with anyio.move_on_after(QUEUE_TIMEOUT):
            # The timeout covers the wait only: a call that has started runs to its end.
            return await to_thread.run_sync(partial(call, *args, **kwargs), limiter=self.limiter)
        raise ProblemError(
            503,
            "busy",
            f"timed out after {QUEUE_TIMEOUT:g} s behind earlier requests to MLflow or Ray; "
            "retry later",
            {"Retry-After": f"{BACKOFF_SECONDS:g}"},
        )

    def submit(self, spec: SweepSpec, client: str, key: str | None) -> SweepState:
        """Create a sweep and submit it to Ray.

        Repeating a request with the same client, key and spec returns the sweep of the first
        request. Raises `ProblemError` for a key that was used with another spec, or while too many
        sweeps run; also `StoreError` and `ClusterError`.
        """
        store = self._queries.store
        request = key and hashlib.sha256(f"{client}\n{key}".encode()).hexdigest()
        if request and (existing := store.requested(request)):
            if SweepSpec.from_document(existing.spec).stages[0] != spec.stages[0]:
                raise ProblemError(
                    422, "key-reused", "an Idempotency-Key should be used for one sweep only"
                )
            never_ran = existing.heartbeat is None and not existing.cancel_requested
            if never_ran and existing.id not in (jobs := self._active_jobs()):
                # Ray refused the sweep, or the service was killed before submitting it.
                self._check_room(jobs)
                self._start(existing.id)
            return store.state(existing.id)
        self._check_room(self._active_jobs())
        sweep_id = store.create_submitted(spec, request).id
        self._start(sweep_id)
        return store.state(sweep_id)

    def resume(self, sweep: SweepState) -> SweepState:
        """Resume a cancelled, interrupted or failed sweep; `ProblemError` for any other."""
        current = self._queries.store.state(sweep.id)
        if current.status not in RESUMABLE:
            raise ProblemError(
                409,
                "not-resumable",
                f"a sweep should be cancelled, interrupted or failed; found {current.status}",
            )
        check_limits(SweepSpec.from_document(current.spec), self._settings)
        jobs = self._active_jobs()
        self._check_no_job(sweep.id, jobs)
        if current.trials.ended >= current.trials.total:
            # Nothing is left to run, so no job is submitted.
            self._close(sweep.id, "finished" if current.trials.finished else "failed", None)
        else:
            self._check_room(jobs)
            self._start(sweep.id)
        return self._queries.store.state(sweep.id)

    def extend(self, sweep: SweepState, additions: Additions) -> SweepState:
        """Extend a sweep that has ended, and submit it to Ray.

        Raises `ProblemError` for a running sweep, for an extension above the limits, and while too
        many sweeps run; `SpecError` for additions that the sweep cannot have.
        """
        store = with_journals(self._queries.store)
        current = store.state(sweep.id)
        if current.status == "running":
            raise ProblemError(
                409, "running", "a sweep should have ended to be extended; found running"
            )
        spec = limited_extension(current, additions, self._settings)
        new_driver(spec)  # raises `SpecError` for a spec that the driver cannot run
        jobs = self._active_jobs()
        self._check_no_job(sweep.id, jobs)
        self._check_room(jobs)
        self._start(sweep.id, extension=spec)
        return self._queries.store.state(sweep.id)

    def cancel(self, sweep: SweepState) -> SweepState:
        """Cancel a running sweep; its ended trials are kept.

        A stale sweep that was submitted can be cancelled too, because its job may hang. Raises
        `ProblemError` for any other sweep that is not running. Raises `ClusterError` if the sweep
        has not begun and Ray does not answer, because the sweep's job would still start later.
        """
        store = self._queries.store
        current = store.state(sweep.id)
        stale_job = current.stale and current.submitted is not None
        if current.status != "running" and not stale_job:
            raise ProblemError(
                409, "not-running", f"a sweep should be running; found {current.status}"
            )
        # A running job polls this request in MLflow. Stopping the Ray job also covers jobs that
        # are pending or hang.
        store.cancel(sweep.id)
        stopped = self._stop_job(sweep.id)
        if stopped is None and not current.begun:
            raise ClusterError(f"sweep {sweep.id[:8]} has not begun, and Ray cannot stop its job")
        if not stopped and _is_lost(current, {}):
            self._close(sweep.id, "cancelled", current.reason)
        self._watch_until = time.monotonic() + WATCH_SECONDS
        return store.state(sweep.id)

    def archive(self, sweep: SweepState, archived: bool) -> SweepState:
        """Leave a sweep out of lists, or list it again."""
        store = self._queries.store
        store.archive(sweep.id, archived)
        self._queries.invalidate()
        return store.state(sweep.id)

    def note(self, sweep: SweepState, text: str) -> SweepState:
        """Replace the note of a sweep; `ParetoIBError` for an invalid text."""
        store = self._queries.store
        store.set_note(sweep.id, text)
        self._queries.invalidate()
        return store.state(sweep.id)

    def tag(self, sweep: SweepState, changes: Mapping[str, str | None]) -> SweepState:
        """Set tags of a sweep; None removes a tag. Raises `ParetoIBError` for invalid changes."""
        store = self._queries.store
        store.set_tags(sweep.id, changes)
        self._queries.invalidate()
        return store.state(sweep.id)

    def delete(self, sweep: SweepState) -> SweepState:
        """Delete a sweep with its trials; `ProblemError` for one that runs or may still write.

        Returns the last state of the sweep.
        """
        store = with_journals(self._queries.store)
        current = store.state(sweep.id)
        if current.status == "running":
            raise ProblemError(
                409, "running", "a sweep should have ended to be deleted; found running"
            )
        if current.submitted:
            self._check_no_job(sweep.id, self._active_jobs())
        store.delete(sweep.id)
        shutil.rmtree(settings().checkpoint_folder(sweep.id), ignore_errors=True)
        self._queries.invalidate()
        return current

    def restore(self, sweep: str) -> SweepState:
        """Undo `delete`; `sweep` is the id, a unique prefix or the name of a deleted sweep."""
        state = self._queries.store.restore(sweep)
        self._queries.invalidate()
        return state

    def log(self, sweep: SweepState, after: int | None, tail: int) -> LogPart:
        """A part of a sweep's log, as `log_part` returns it.

        Ray has the log of a sweep that was submitted; the log of any other sweep is in a file.
        Raises `NotFoundError` with the reason for a sweep without a log.
        """
        if sweep.submitted is None:
            return read_log(sweep, after, tail)
        with self._ray() as jobs:
            text = jobs.log(sweep.id)
        if text is None:
            raise NotFoundError(
                f"sweep {sweep.id[:8]} has no log any more: Ray keeps the logs of jobs only while "
                "its cluster runs"
            )
        return log_part(BytesIO(text.encode(errors="replace")), after, tail)

    def check(self) -> None:
        """Raise `ClusterError` unless Ray answers."""
        self._checks.get(time.monotonic() // 1.0, self._active_jobs)

    @property
    def pause(self) -> float:
        """Seconds until `reconcile` should be called again."""
        watching = time.monotonic() < self._watch_until
        return min(self._settings.reconcile_seconds, 1.0 if watching else math.inf)

    def reconcile(self) -> None:
        """Close submitted sweeps that MLflow lists as running although no job runs them.

        Sweeps that no service has submitted are not changed, because Ray has no jobs of them.
        """
        # Ask Ray first: a job that Ray lists as ended writes nothing more to MLflow.
        jobs = self._active_jobs_or_none()
        for state in self._queries.store.unclosed():
            if _is_lost(state, jobs):
                reason = state.reason or "its job ended before the sweep began"
                _log.warning("sweep %s is closed as interrupted: %s", state.id, reason)
                self._close(state.id, "interrupted", reason)

    def _start(self, sweep_id: str, extension: SweepSpec | None = None) -> None:
        """Submit a sweep to Ray; with `extension`, after this spec has replaced the stored one."""
        if extension:
            self._queries.store.extend_submitted(sweep_id, extension)
        else:
            self._queries.store.mark_submitted(sweep_id)
        self._queries.invalidate()
        self._watch_until = time.monotonic() + WATCH_SECONDS
        try:
            with self._ray() as jobs:
                jobs.submit(sweep_id)
        except ClusterError:
            self._close(sweep_id, "failed", "the sweep could not be submitted to Ray")
            raise

    def _check_no_job(self, sweep_id: str, jobs: Mapping[str, bool]) -> None:
        """Raise `ProblemError` if the sweep has a pending or running job."""
        if jobs.get(sweep_id):
            raise ProblemError(
                409,
                "still-ending",
                "the sweep's last job is still ending; retry later",
                {"Retry-After": "1"},
            )

    def _check_room(self, jobs: Mapping[str, bool]) -> None:
        """Raise `ProblemError` if `max_running` sweeps have a pending or running job."""
        if sum(jobs.values()) >= self._settings.max_running:
            raise ProblemError(
                429,
                "too-many-sweeps",
                f"at most {self._settings.max_running} sweeps should run at the same time; "
                "retry later",
                {"Retry-After": "30"},
            )

    @contextmanager
    def _ray(self) -> Iterator[Jobs]:
        """Ray's jobs. For `BACKOFF_SECONDS` after a failure, raises `ClusterError` at once."""
        if time.monotonic() < self._backoff_until:
            raise ClusterError(f"a request to Ray failed in the last {BACKOFF_SECONDS:g} s")
        try:
            yield self._jobs
        except ClusterError:
            self._backoff_until = time.monotonic() + BACKOFF_SECONDS
            raise

    def _active_jobs(self) -> dict[str, bool]:
        """For each sweep with jobs in Ray: whether it has a pending or running job."""
        with self._ray() as jobs:
            return jobs.states()

    def _active_jobs_or_none(self) -> dict[str, bool] | None:
        """As `_active_jobs`; None if Ray does not answer."""
        try:
            return self._active_jobs()
        except ClusterError as error:
            _log.warning("%s", error)
            return None

    def _stop_job(self, sweep_id: str) -> bool | None:
        """Whether Ray had an active job of the sweep to stop; None if Ray does not answer."""
        try:
            with self._ray() as jobs:
                return jobs.stop(sweep_id)
        except ClusterError as error:
            _log.warning("%s", error)
            return None

    def _close(self, sweep_id: str, status: Status, reason: str | None) -> None:
        """Close a sweep that has no job, and store the front of its ended trials."""
        store = self._queries.store
        try:
            front = read_front(store, store.state(sweep_id))
        except NotFoundError:
            front = None
        if front:
            info = front.sweep.model_copy(update={"status": status, "reason": reason})
            front = front.model_copy(update={"sweep": info})
        store.close(sweep_id, status, front, [], reason)
        self._queries.invalidate()


def _is_lost(state: SweepState, jobs: Mapping[str, bool] | None) -> bool:
    """Whether a submitted sweep has no job in Ray and no writer that sends heartbeats.

    `jobs` is None if Ray does not answer; a sweep that has not begun is not lost then, because it
    may still begin. If Ray answers, a sweep that has not begun is lost `START_SECONDS` after its
    submission if Ray lists an ended job of it, otherwise `STALE_SECONDS` after its submission.
    """
    if state.submitted is None:
        return False
    if jobs is None:
        return state.stale
    if jobs.get(state.id):
        return False
    if state.begun:
        return state.stale
    waited = (datetime.now(UTC) - state.submitted).total_seconds()
    return waited > (START_SECONDS if state.id in jobs else STALE_SECONDS)
