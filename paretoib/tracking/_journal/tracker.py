"""A tracker that writes trials to a journal first, and from the journal to a store."""

import fcntl
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO

from paretoib.errors import StoreError
from paretoib.records import (
    Front,
    ModelFiles,
    RunningPacks,
    Status,
    SweepState,
    TrialRecord,
    Workers,
)
from paretoib.specs import SweepSpec
from paretoib.tracking._journal.file import JournalFile, model_path, read, refused_path
from paretoib.tracking._journal.writer import Writer
from paretoib.tracking._lookup import check_not_running, model_not_kept
from paretoib.tracking._state import with_trials, without_stale_rule
from paretoib.tracking._tracker import EndedTrial, File, History, Reader, Ruler, Tracker

PATIENCE = 300.0  # seconds to wait for the store
_REASON_NOT_CLOSED = "the end of the sweep could not be written to the store"


class JournalReader:
    """A store, with the trials in the journals of `folder` that the store does not hold yet."""

    def __init__(self, store: Reader, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def find(self, sweep: str) -> SweepState:
        return self._with_journal(self._store.find(sweep))

    def state(self, sweep_id: str) -> SweepState:
        return self._with_journal(self._store.state(sweep_id))

    def sweeps(self) -> list[SweepState]:
        return [self._with_journal(state) for state in self._store.sweeps()]

    def ruler(self, sweep_id: str) -> Ruler | None:
        return self._store.ruler(sweep_id)

    def records(self, sweep_id: str) -> list[TrialRecord]:
        # The journal is read first: trials move from the journal to the store, never back.
        waiting = [t.record.model_copy(update={"history": {}}) for t in self._read(sweep_id)]
        stored = self._store.records(sweep_id)
        return list({record.trial: record for record in (*stored, *waiting)}.values())

    def history(self, sweep_id: str, trial: str) -> History:
        waiting = (t.record for t in self._read(sweep_id) if t.record.trial == trial)
        record = next(waiting, None)
        return record.history if record else self._store.history(sweep_id, trial)

    def trial_url(self, sweep_id: str, trial: str) -> str | None:
        return self._store.trial_url(sweep_id, trial)

    def models(self, sweep_id: str, trial: str | None = None) -> ModelFiles:
        waiting = [t for t in self._read(sweep_id) if trial in (None, t.record.trial)]
        stored = self._store.models(sweep_id, trial)
        # A trial is in both for a moment. The store is right then: the journal's file may be gone.
        files = {file.trial: file for file in stored.files}
        files |= {
            t.record.trial: t.model.file for t in waiting if t.model and t.record.trial not in files
        }
        return stored.model_copy(update={"files": tuple(files.values())})

    def open_model(self, sweep_id: str, trial: str) -> IO[bytes]:
        for waiting in self._read(sweep_id):
            if waiting.record.trial == trial:
                with suppress(FileNotFoundError):
                    return model_path(self._path(sweep_id), trial).open("rb")
                if waiting.model is None or not waiting.model.file.kept:
                    raise model_not_kept(sweep_id, waiting.record, self.models(sweep_id, trial))
        return self._store.open_model(sweep_id, trial)

    def _with_journal(self, state: SweepState) -> SweepState:
        """The state, corrected for the journal's lock and for the trials in the journal."""
        if state.stale:
            # A writer that closes its sweep sends no heartbeats, but holds the lock.
            if self._is_locked(state.id):
                return without_stale_rule(state)
            # The writer may have closed the sweep and released the lock since the state was read.
            state = self._store.state(state.id)
        # While a sweep runs, its writer soon empties the journal, so the state is not corrected.
        if state.status != "running" and (kept := list(self._read(state.id))):
            hypervolume = max(trial.hypervolume for trial in kept)
            hypervolume = max(hypervolume, state.hypervolume or 0.0)
            return with_trials(state, self.records(state.id), hypervolume)
        return state

    def _read(self, sweep_id: str) -> Iterator[EndedTrial]:
        """The trials on this machine that wait for the store, and those that the store refuses."""
        path = self._path(sweep_id)
        return chain(read(path), read(refused_path(path)))

    def _is_locked(self, sweep_id: str) -> bool:
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
    """Writes trials to a journal in `folder` first, and from there to `store`.

    `add` returns when the trials are on this machine's disk. A thread writes them to the store, in
    order, and retries while the store is unavailable; it begins with trials that an earlier process
    left in the journal. A trial with data that the store refuses is moved to a file beside the
    journal. A model file that the store does not take costs neither its trial nor the sweep: after
    a few tries the trial is written without it. `drop_models` returns before the files are deleted.
    If the store refuses a call for another lasting reason, such as a full disk, the next
    `add`, `update`, `flush` or `close` raises the `StoreError`; that `add` has still put its trials
    into the journal. `flush` and `close` also raise a `StoreError` after `patience` seconds without
    progress, or if the store is unavailable after `stop_waiting`. While `flush` and `close` wait
    for an unavailable store, they log a warning.

    From `begin`, `add`, `update` or `flush`, whichever is first, until `close`, a sweep is locked
    against all other processes on this machine.
    """

    def __init__(self, store: Tracker, folder: Path, *, patience: float = PATIENCE) -> None:
        super().__init__(store, folder)
        self.patience = patience
        self._store: Tracker = store
        self._writers: dict[str, Writer] = {}

    def create(self, spec: SweepSpec) -> SweepState:
        return self._store.create(spec)

    def extend(self, sweep_id: str, spec: SweepSpec) -> SweepState:
        self.release(sweep_id)
        # The lock keeps out a second extension on this machine.
        journal = self._lock(sweep_id)
        try:
            return self._store.extend(sweep_id, spec)
        finally:
            journal.close()

    def begin(
        self,
        sweep_id: str,
        ruler: Ruler,
        workers: Workers | None = None,
        models_mb: float | None = None,
    ) -> None:
        self.release(sweep_id)
        journal = self._lock(sweep_id)
        try:
            # Call `begin` before the journal's trials are written, because `begin` deletes trials
            # that an earlier process left half-written.
            self._store.begin(sweep_id, ruler, workers, models_mb)
            journal.retry_refused()
        except BaseException:
            journal.close()
            raise
        self._writers[sweep_id] = Writer(self._store, sweep_id, journal)

    def heartbeat(self, sweep_id: str, packs: RunningPacks | None = None) -> bool:
        return self._store.heartbeat(sweep_id, packs)

    def cancel(self, sweep_id: str) -> None:
        self._store.cancel(sweep_id)

    def add(self, sweep_id: str, trials: Sequence[EndedTrial]) -> None:
        self._open(sweep_id).add(trials)

    def drop_models(self, sweep_id: str, trials: Collection[str], reason: str) -> None:
        self._open(sweep_id).drop_models(trials, reason)

    def update(self, sweep_id: str, front: Front) -> None:
        self._open(sweep_id).call_when_written(partial(self._store.update, sweep_id, front))

    def flush(self, sweep_id: str) -> None:
        self._open(sweep_id).drain(self.patience)

    def stop_waiting(self, sweep_id: str) -> None:
        if writer := self._writers.get(sweep_id):
            writer.waiting_stopped = True

    def close(
        self,
        sweep_id: str,
        status: Status,
        front: Front | None,
        pictures: Sequence[File],
        reason: str | None = None,
    ) -> None:
        writer = self._open(sweep_id)
        try:
            writer.drain(self.patience)
            reason = "; ".join(filter(None, [reason, self._refusal(sweep_id, writer.refusals)]))
            close = partial(self._store.close, sweep_id, status, front, pictures, reason or None)
            writer.call_when_written(close)
            writer.drain(self.patience)
        except StoreError:
            writer.stop()
            # Readers should see a sweep that can be resumed. The store may refuse this too, for
            # example when another process has resumed the sweep; the first error is raised anyway.
            with suppress(Exception):
                self._store.close(sweep_id, "interrupted", None, (), _REASON_NOT_CLOSED)
            raise
        finally:
            self.release(sweep_id)

    def archive(self, sweep_id: str, archived: bool) -> None:
        self._store.archive(sweep_id, archived)

    def set_note(self, sweep_id: str, note: str) -> None:
        self._store.set_note(sweep_id, note)

    def set_tags(self, sweep_id: str, changes: Mapping[str, str | None]) -> None:
        self._store.set_tags(sweep_id, changes)

    def delete(self, sweep_id: str) -> None:
        """Delete a sweep, after the trials in its journal are written to the store.

        So no journal remains, and `restore` brings back these trials too. Trials that the store
        refuses are deleted for good.
        """
        check_not_running(self.state(sweep_id))
        try:
            self._open(sweep_id).drain(self.patience)
            self._store.delete(sweep_id)
        finally:
            self.release(sweep_id)
        refused_path(self._path(sweep_id)).unlink(missing_ok=True)
        shutil.rmtree(model_path(self._path(sweep_id), "").parent, ignore_errors=True)

    def restore(self, sweep: str) -> SweepState:
        return self._store.restore(sweep)

    def _refusal(self, sweep_id: str, refusals: Sequence[str]) -> str | None:
        if not refusals:
            return None
        trials = "1 trial" if len(refusals) == 1 else f"{len(refusals)} trials"
        path = refused_path(self._path(sweep_id))
        return f"the store refuses {trials}, kept in {path}: {refusals[-1]}"

    def release(self, sweep_id: str) -> None:
        """Stop writing a sweep and unlock it. Trials not yet in the store stay in the journal."""
        if writer := self._writers.pop(sweep_id, None):
            writer.close()

    def _open(self, sweep_id: str) -> Writer:
        if sweep_id not in self._writers:
            self._writers[sweep_id] = Writer(self._store, sweep_id, self._lock(sweep_id))
        return self._writers[sweep_id]

    def _lock(self, sweep_id: str) -> JournalFile:
        self._store.ruler(sweep_id)  # raises `NotFoundError` if there is no such sweep
        return JournalFile(self._path(sweep_id))
