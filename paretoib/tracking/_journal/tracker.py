"""A tracker that nothing keeps waiting: trials go to a journal, and from there to a store."""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from paretoib.errors import StoreError
from paretoib.records import Front, Status, SweepInfo, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking._journal.file import JournalFile, read
from paretoib.tracking._journal.writer import Writer
from paretoib.tracking._tracker import EndedTrial, File, History, Reader, Ruler, Tracker

PATIENCE = 300.0  # seconds


class JournalReader:
    """A store to look at, with the trials that wait for it in journals of `folder`."""

    def __init__(self, store: Reader, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def find(self, reference: str) -> SweepInfo:
        return self._store.find(reference)

    def sweeps(self) -> list[SweepInfo]:
        return self._store.sweeps()

    def alive(self, sweep_id: str) -> bool:
        # One that closes a sweep beats no more; its lock goes when its process does.
        return self._store.alive(sweep_id) or self._held(sweep_id)

    def ruler(self, sweep_id: str) -> Ruler | None:
        return self._store.ruler(sweep_id)

    def records(self, sweep_id: str) -> list[TrialRecord]:
        # First what waits: a trial goes from there to the store, never back.
        waiting = [one.record.model_copy(update={"history": {}}) for one in self._read(sweep_id)]
        held = self._store.records(sweep_id)
        return list({record.trial: record for record in (*held, *waiting)}.values())

    def histories(self, sweep_id: str, trial: str) -> History:
        waiting = (one.record for one in self._read(sweep_id) if one.record.trial == trial)
        found = next(waiting, None)
        return found.history if found else self._store.histories(sweep_id, trial)

    def address(self, sweep_id: str) -> str:
        return self._store.address(sweep_id)

    def run_address(self, sweep_id: str, trial: str) -> str:
        return self._store.run_address(sweep_id, trial)

    def _read(self, sweep_id: str) -> Iterator[EndedTrial]:
        return read(self._path(sweep_id))

    def _held(self, sweep_id: str) -> bool:
        """Whether a process on this machine has the journal open."""
        try:
            with self._path(sweep_id).with_suffix(".lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def _path(self, sweep_id: str) -> Path:
        return self._folder / f"{sweep_id}.jsonl"


class JournalTracker(JournalReader):
    """Keeps what a sweep's writer adds in a file of `folder` and writes it to `store` from there.

    `add` returns when the trials are safe on this machine's disk. One thread writes them to the
    store, in order, and tries again for as long as that is away; a journal that an earlier process
    left behind is written first. What the store refuses for good is raised, as `StoreError`, by
    the next `add` (which has kept its trials all the same), `update`, `flush` or `close`. The last
    two raise it too when the store stays away for `patience` seconds without taking anything, or
    from `hurry` on is away at all; while they wait for it the log says so.

    A sweep is open, and closed to all other processes on this machine, from the first of these
    calls or `begin` until `close`.
    """

    def __init__(self, store: Tracker, folder: Path, *, patience: float = PATIENCE) -> None:
        super().__init__(store, folder)
        self.patience = patience
        self._store: Tracker = store
        self._writers: dict[str, Writer] = {}

    def create(self, spec: SweepSpec) -> SweepInfo:
        return self._store.create(spec)

    def begin(self, sweep_id: str, ruler: Ruler) -> None:
        self.release(sweep_id)
        journal = self._lock(sweep_id)
        try:
            # Before anything is written, as it removes what an earlier process was cut off at.
            self._store.begin(sweep_id, ruler)
        except BaseException:
            journal.close()
            raise
        self._writers[sweep_id] = Writer(self._store, sweep_id, journal)

    def heartbeat(self, sweep_id: str) -> bool:
        return self._store.heartbeat(sweep_id)

    def cancel(self, sweep_id: str) -> None:
        self._store.cancel(sweep_id)

    def add(self, sweep_id: str, ended: Sequence[EndedTrial]) -> None:
        self._open(sweep_id).add(ended)

    def update(self, sweep_id: str, front: Front) -> None:
        self._open(sweep_id).afterwards(partial(self._store.update, sweep_id, front))

    def flush(self, sweep_id: str) -> None:
        self._open(sweep_id).drain(self.patience)

    def stop_waiting(self, sweep_id: str) -> None:
        if writer := self._writers.get(sweep_id):
            writer.waiting_stopped = True

    def close(
        self, sweep_id: str, status: Status, front: Front | None, pictures: Sequence[File]
    ) -> None:
        writer = self._open(sweep_id)
        try:
            writer.drain(self.patience)
            writer.afterwards(partial(self._store.close, sweep_id, status, front, pictures))
            writer.drain(self.patience)
        except StoreError:
            writer.stop()
            # Whoever looks should see a sweep to be resumed, unless another process has done so
            # and the store refuses this too; why is told in any case.
            with suppress(Exception):
                self._store.close(sweep_id, "interrupted", None, ())
            raise
        finally:
            self.release(sweep_id)

    def release(self, sweep_id: str) -> None:
        """Write no more of a sweep, and let others; what waits stays in the journal."""
        if writer := self._writers.pop(sweep_id, None):
            writer.close()

    def _open(self, sweep_id: str) -> Writer:
        if sweep_id not in self._writers:
            self._writers[sweep_id] = Writer(self._store, sweep_id, self._lock(sweep_id))
        return self._writers[sweep_id]

    def _lock(self, sweep_id: str) -> JournalFile:
        self._store.ruler(sweep_id)  # which knows whether there is such a sweep
        return JournalFile(self._path(sweep_id))
