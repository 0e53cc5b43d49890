"""Sends sweeps to Ray, and keeps what MLflow says of them true."""

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import ParamSpec

import anyio
from anyio import to_thread

from jobs.submission import Jobs
from paretoib.errors import ClusterError, NotFoundError
from paretoib.specs import SweepSpec
from paretoib.tracking import read_front
from service.cache import SingleFlightCache
from service.limits import check_limits
from service.problems import ProblemError
from service.queries import SweepQueries
from service.schemas import Row
from service.settings import ServiceSettings

HURRY = 60.0  # seconds after a change in which Ray is asked every second
STARTING = 5.0  # seconds in which Ray may not know yet of a job that it has been given
AWAY = 5.0  # seconds for which Ray is not asked again when it has not answered
PATIENCE = 30.0  # seconds for which a request waits for its turn

P = ParamSpec("P")

_log = logging.getLogger("paretoib.service")


class SweepController:
    """Submits, cancels and takes up sweeps, each `in_turn`; `reconcile` is called now and then.

    Nothing of it lasts: which sweeps there are, and for which request each was made, is MLflow's
    to know, and which of them run is Ray's.
    """

    def __init__(self, queries: SweepQueries, jobs: Jobs, settings: ServiceSettings) -> None:
        self._queries = queries
        self._jobs = jobs
        self._settings = settings
        # One call at a time, and no thread of the routes' own: they are free while Ray hangs.
        self.turn = anyio.CapacityLimiter(1)
        self._checks: SingleFlightCache[dict[str, bool]] = SingleFlightCache(2)
        self._hurry_until = 0.0
        self._away_until = 0.0

    async def in_turn(self, call: Callable[P, Row], *args: P.args, **kwargs: P.kwargs) -> Row:
        """What a method of this object gives; `ProblemError` where its turn does not come."""
        with anyio.move_on_after(PATIENCE):
            # The waiting alone is cut short: what has begun goes on to its end.
            return await to_thread.run_sync(partial(call, *args, **kwargs), limiter=self.turn)
        raise ProblemError(
            503,
            "busy",
            f"requests before this one have waited for MLflow or Ray for {PATIENCE:g} s",
            {"Retry-After": f"{AWAY:g}"},
        )

    def submit(self, spec: SweepSpec, client: str, key: str | None) -> Row:
        """A sweep for this spec; with a `key` that the client has used before, the one of then.

        Raises `ProblemError` for a key that was used with another sweep and while too many run,
        `StoreError`, `ClusterError`.
        """
        store = self._queries.store
        request = key and hashlib.sha256(f"{client}\n{key}".encode()).hexdigest()
        if request and (held := store.requested(request)):
            if held.sweep.spec != spec.document:
                raise ProblemError(
                    422, "key-reused", "an Idempotency-Key should be new for another sweep"
                )
            due = held.alive is None and not held.cancelled
            if due and held.sweep.id not in (jobs := self._states()):
                # Ray did not take it, or the service was killed before it had handed it over.
                self._check_room(jobs)
                self._start(held.sweep.id)
            return store.row(held.sweep.id)
        self._check_room(self._states())
        sweep_id = store.make(spec, request)
        self._start(sweep_id)
        return store.row(sweep_id)

    def resume(self, row: Row) -> Row:
        """Go on with a sweep that was interrupted or failed; `ProblemError` for any other."""
        sweep_id = row.sweep.id
        found = self._queries.store.row(sweep_id)
        if found.sweep.status not in ("interrupted", "failed"):
            raise ProblemError(
                409,
                "not-resumable",
                f"a sweep should be interrupted or failed; found {found.sweep.status}",
            )
        check_limits(SweepSpec.from_document(found.sweep.spec), self._settings)
        jobs = self._states()
        self._check_room(jobs)
        if jobs.get(sweep_id):
            raise ProblemError(409, "still-ending", "the sweep's last job is still ending")
        self._start(sweep_id)
        return self._queries.store.row(sweep_id)

    def cancel(self, row: Row) -> Row:
        """Ask a running sweep to end; what had ended is kept.

        Raises `ProblemError` where none runs, and `ClusterError` where one that has not begun
        cannot be taken from Ray: it would begin all the same.
        """
        sweep_id, store = row.sweep.id, self._queries.store
        found = store.row(sweep_id)
        if found.sweep.status != "running":
            raise ProblemError(
                409, "not-running", f"a sweep should be running; found {found.sweep.status}"
            )
        # Its writer hears of it wherever it is; Ray, of one that waits, or is deaf.
        store.cancel(sweep_id)
        stopped = self._stop(sweep_id)
        if stopped is None and not found.begun:
            raise ClusterError(f"sweep {sweep_id[:8]} waits, and Ray cannot be told to end it")
        if not stopped and found.silent:
            self._interrupt(sweep_id)
        self._hurry_until = time.monotonic() + HURRY
        return store.row(sweep_id)

    def check(self) -> None:
        """`ClusterError` unless Ray answers."""
        self._checks.get(time.monotonic() // 1.0, self._states)

    @property
    def pause(self) -> float:
        """Seconds until `reconcile` should be called again."""
        hurrying = time.monotonic() < self._hurry_until
        return min(self._settings.reconcile_seconds, 1.0 if hurrying else math.inf)

    def reconcile(self) -> None:
        """What MLflow calls running and nobody runs was interrupted, and is called so.

        Of sweeps that the service submitted; others only look so (`Store`).
        """
        # Ray is asked first: a job that it says has ended has written its last by then.
        jobs = self._known_states()
        for row in self._queries.store.running():
            if _is_lost(row, jobs):
                reason = self._reason(row.sweep.id) if row.sweep.id in (jobs or ()) else None
                said = reason or "it is run by nobody"
                _log.warning("sweep %s is interrupted: %s", row.sweep.id, said)
                self._interrupt(row.sweep.id, reason)

    def _start(self, sweep_id: str) -> None:
        self._queries.store.submitted(sweep_id)
        self._queries.changed()
        self._hurry_until = time.monotonic() + HURRY
        try:
            with self._ray() as jobs:
                jobs.submit(sweep_id)
        except ClusterError:
            self._interrupt(sweep_id)
            raise

    def _check_room(self, jobs: Mapping[str, bool]) -> None:
        """`ProblemError` where as many sweeps run as may."""
        if sum(jobs.values()) >= self._settings.max_running:
            raise ProblemError(
                429,
                "too-many-sweeps",
                f"{self._settings.max_running} sweeps run, as many as may at a time",
                {"Retry-After": "30"},
            )

    @contextmanager
    def _ray(self) -> Iterator[Jobs]:
        """Ray's jobs; for a while after it has not answered `ClusterError` at once."""
        if time.monotonic() < self._away_until:
            raise ClusterError(f"Ray has not answered in the last {AWAY:g} s")
        try:
            yield self._jobs
        except ClusterError:
            self._away_until = time.monotonic() + AWAY
            raise

    def _states(self) -> dict[str, bool]:
        """By sweep, of all that Ray had a job of: whether one waits or runs."""
        with self._ray() as jobs:
            return jobs.states()

    def _known_states(self) -> dict[str, bool] | None:
        """Those; None where Ray does not answer."""
        try:
            return self._states()
        except ClusterError as error:
            _log.warning("%s", error)
            return None

    def _stop(self, sweep_id: str) -> bool | None:
        """Whether Ray has a job of it, which now ends; None where Ray does not answer."""
        try:
            with self._ray() as jobs:
                return jobs.stop(sweep_id)
        except ClusterError as error:
            _log.warning("%s", error)
            return None

    def _reason(self, sweep_id: str) -> str | None:
        """What the sweep's last job said of its end, if Ray still has it."""
        try:
            with self._ray() as jobs:
                return jobs.error(sweep_id)
        except ClusterError as error:
            _log.warning("%s", error)
            return None

    def _interrupt(self, sweep_id: str, reason: str | None = None) -> None:
        """Close a sweep as its job would have."""
        store = self._queries.store
        if reason:
            store.explain(sweep_id, reason)
        try:
            front = read_front(store, store.row(sweep_id).sweep.info)
        except NotFoundError:
            front = None
        if front:
            info = front.sweep.model_copy(update={"status": "interrupted"})
            front = front.model_copy(update={"sweep": info})
        store.close(sweep_id, "interrupted", front, [])
        self._queries.changed()


def _is_lost(row: Row, jobs: Mapping[str, bool] | None) -> bool:
    """Whether a sweep that was submitted is run neither by Ray nor, by its signs, by anyone else.

    While Ray does not answer (None), one that has not begun may still come to its turn. One whose
    job ended before it began needs no patience: there was no writer to go silent.
    """
    if row.submitted is None:
        return False
    if jobs is None:
        return row.begun and row.silent
    if jobs.get(row.sweep.id):
        return False
    waited = (datetime.now(UTC) - row.submitted).total_seconds() > STARTING
    return row.silent or (row.sweep.id in jobs and not row.begun and waited)
