"""Sends sweeps to Ray, and keeps what MLflow says of them true."""

import hashlib
import logging
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from threading import Lock

from jobs.submission import Jobs
from paretoib.errors import ClusterError, NotFoundError
from paretoib.specs import SweepSpec
from paretoib.tracking import read_front
from service._documents import Row
from service._kept import Kept
from service._library import Library
from service._limits import check_limits
from service._problems import ProblemError
from service._settings import ServiceSettings

HURRY = 60.0  # seconds after a change in which Ray is asked every second
STARTING = 5.0  # seconds in which Ray may not know yet of a job that it has been given

_log = logging.getLogger("paretoib.service")


class Runner:
    """Submits, cancels and takes up sweeps, one at a time; `reconcile` is called now and then.

    Nothing of it lasts: which sweeps there are, and for which request each was made, is MLflow's
    to know, and which of them run is Ray's.
    """

    def __init__(self, library: Library, jobs: Jobs, settings: ServiceSettings) -> None:
        self._library = library
        self._jobs = jobs
        self._settings = settings
        self._lock = Lock()
        self._checks: Kept[dict[str, bool]] = Kept(2)
        self._hurry_until = 0.0

    def submit(self, spec: SweepSpec, client: str, key: str | None) -> Row:
        """A sweep for this spec; with a `key` that the client has used before, the one of then.

        Raises `ProblemError` for a key that was used with another sweep and while too many run,
        `StoreError`, `ClusterError`.
        """
        store = self._library.store
        request = key and hashlib.sha256(f"{client}\n{key}".encode()).hexdigest()
        with self._lock:
            if request and (held := store.requested(request)):
                if held.sweep.spec != spec.document:
                    raise ProblemError(
                        422, "key-reused", "an Idempotency-Key should be new for another sweep"
                    )
                waits = held.alive is None and held.sweep.status == "running"
                if waits and held.sweep.id not in self._jobs.states():
                    # The service was killed before it had handed it to Ray.
                    self._check_room()
                    self._start(held.sweep.id)
                return store.row(held.sweep.id)
            self._check_room()
            sweep_id = store.make(spec, request)
            self._start(sweep_id)
            return store.row(sweep_id)

    def resume(self, row: Row) -> Row:
        """Go on with a sweep that was interrupted or failed; `ProblemError` for any other."""
        sweep_id = row.sweep.id
        with self._lock:
            found = self._library.store.row(sweep_id)
            if found.sweep.status not in ("interrupted", "failed"):
                raise ProblemError(
                    409,
                    "not-resumable",
                    f"a sweep should be interrupted or failed; found {found.sweep.status}",
                )
            check_limits(SweepSpec.from_document(found.sweep.spec), self._settings)
            if sweep_id in self._check_room():
                raise ProblemError(409, "still-ending", "the sweep's last job is still ending")
            self._start(sweep_id)
            return self._library.store.row(sweep_id)

    def cancel(self, row: Row) -> Row:
        """Ask a running sweep to end; what had ended is kept. `ProblemError` where none runs."""
        sweep_id, store = row.sweep.id, self._library.store
        with self._lock:
            found = store.row(sweep_id)
            if found.sweep.status != "running":
                raise ProblemError(
                    409, "not-running", f"a sweep should be running; found {found.sweep.status}"
                )
            # Its writer hears of it wherever it is; Ray, of one that waits, or is deaf.
            store.cancel(sweep_id)
            if not self._stop(sweep_id) and found.silent:
                self._interrupt(sweep_id)
        self._hurry_until = time.monotonic() + HURRY
        return store.row(sweep_id)

    def check(self) -> None:
        """`ClusterError` unless Ray answers."""
        self._checks.get(time.monotonic() // 1.0, self._jobs.states)

    @property
    def pause(self) -> float:
        """Seconds until `reconcile` should be called again."""
        hurrying = time.monotonic() < self._hurry_until
        return min(self._settings.reconcile_seconds, 1.0 if hurrying else math.inf)

    def reconcile(self) -> None:
        """What MLflow calls running and nobody runs was interrupted, and is called so.

        Of sweeps that the service submitted; others only look so (`Store`).
        """
        with self._lock:
            # Ray is asked first: a job that it says has ended has written its last by then.
            jobs = self._states()
            for row in self._library.store.running():
                if _is_lost(row, jobs):
                    reason = self._reason(row.sweep.id) if row.sweep.id in jobs else None
                    said = reason or "it is run by nobody"
                    _log.warning("sweep %s is interrupted: %s", row.sweep.id, said)
                    self._interrupt(row.sweep.id, reason)

    def _start(self, sweep_id: str) -> None:
        self._library.store.submitted(sweep_id)
        self._library.changed()
        self._hurry_until = time.monotonic() + HURRY
        try:
            self._jobs.submit(sweep_id)
        except ClusterError:
            self._interrupt(sweep_id)
            raise

    def _check_room(self) -> set[str]:
        """The sweeps that run; `ProblemError` where they are as many as may."""
        active = {sweep for sweep, runs in self._jobs.states().items() if runs}
        if len(active) >= self._settings.max_running:
            raise ProblemError(
                429,
                "too-many-sweeps",
                f"{self._settings.max_running} sweeps run, as many as may at a time",
                {"Retry-After": "30"},
            )
        return active

    def _states(self) -> dict[str, bool]:
        """Ray's jobs; none where it does not answer."""
        try:
            return self._jobs.states()
        except ClusterError as error:
            _log.warning("%s", error)
            return {}

    def _stop(self, sweep_id: str) -> bool:
        """Whether Ray has a job of it, which now ends; where Ray does not answer, it has none."""
        try:
            return self._jobs.stop(sweep_id)
        except ClusterError as error:
            _log.warning("%s", error)
            return False

    def _reason(self, sweep_id: str) -> str | None:
        """What the sweep's last job said of its end, if Ray still has it."""
        try:
            return self._jobs.error(sweep_id)
        except ClusterError as error:
            _log.warning("%s", error)
            return None

    def _interrupt(self, sweep_id: str, reason: str | None = None) -> None:
        """Close a sweep as its job would have."""
        store = self._library.store
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
        self._library.changed()


def _is_lost(row: Row, jobs: Mapping[str, bool]) -> bool:
    """Whether a sweep that was submitted is run neither by Ray nor, by its signs, by anyone else.

    One whose job ended before it began needs no patience: there was no writer to go silent.
    """
    if row.submitted is None or jobs.get(row.sweep.id):
        return False
    begun = row.alive is not None and row.alive >= row.submitted
    waited = (datetime.now(UTC) - row.submitted).total_seconds() > STARTING
    return row.silent or (row.sweep.id in jobs and not begun and waited)
