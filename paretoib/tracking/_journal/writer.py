"""The thread that empties a sweep's journal into its store."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from paretoib.errors import StoreAwayError, StoreError, TakenOverError
from paretoib.tracking._journal.file import JournalFile
from paretoib.tracking._tracker import EndedTrial, Tracker

_log = logging.getLogger(__name__)

_TOGETHER = 64  # trials
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds between two tries while the store is away
_QUIET = 2.0  # seconds that a store may be away before whoever waits for it is told


class Writer:
    """Writes one sweep's trials, in order, for as long as it takes, and then what else is asked.

    The thread ends when it is stopped, and when the store refuses something for good, which every
    method then raises. It does not keep the process from ending: the journal is on the disk.
    """

    def __init__(self, store: Tracker, sweep_id: str, journal: JournalFile) -> None:
        self._store = store
        self._sweep_id = sweep_id
        self._journal = journal
        # Guards all that follows, and the journal's ends; not held while the store is at work.
        self._changed = threading.Condition()
        self._afterwards: Callable[[], None] | None = None
        self._away: Exception | None = None
        self._refused: Exception | None = None
        self._progress = 0.0
        self._stopping = False
        self.waiting_stopped = False  # whether to wait no longer for a store that is away
        self._thread = threading.Thread(target=self._run, name="paretoib-journal", daemon=True)
        self._thread.start()

    def add(self, ended: Sequence[EndedTrial]) -> None:
        """Keep trials safe, and have them written."""
        with self._changed:
            self._journal.append(ended)
            self._changed.notify_all()
            self._check()

    def afterwards(self, call: Callable[[], None]) -> None:
        """Call this once all trials are written; it takes the place of one that still waits."""
        with self._changed:
            self._check()
            self._afterwards = call
            self._changed.notify_all()

    def drain(self, patience: float) -> None:
        """Wait until all is done; `StoreError` after `patience` seconds in which nothing was."""
        told = False
        with self._changed:
            self._progress = time.monotonic()
            while self._busy():
                self._check()
                waited = time.monotonic() - self._progress
                if waited >= patience or (self._away and self.waiting_stopped):
                    raise self._unwritten(self._away)
                if self._away and waited > _QUIET and not told:
                    told = True
                    wait = "waiting for MLflow, %g s at most or until Ctrl-C: %s"
                    _log.warning(wait, patience, self._away)
                # Not for long, as nothing wakes it when it is waiting_stopped.
                self._changed.wait(min(patience - waited, 0.1))
            self._check()

    def stop(self) -> None:
        """End the thread, after what it is just writing."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def close(self) -> None:
        """Stop, and let go of the journal."""
        self.stop()
        self._journal.close()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while self._wait(self._busy):
            try:
                self._write()
            except StoreAwayError as error:
                self._away = error
                self._wait(lambda: False, pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except Exception as error:
                with self._changed:
                    self._refused = error
                    self._changed.notify_all()
                return
            else:
                pause = _FIRST_PAUSE

    def _wait(self, ready: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until something is ready or time is up; whether to go on at all."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or ready(), seconds)
            return not self._stopping

    def _busy(self) -> bool:
        return bool(self._journal.waiting or self._afterwards)

    def _write(self) -> None:
        if self._journal.waiting:
            ended, place = self._journal.next(_TOGETHER)
            self._store.add(self._sweep_id, ended)
            with self._changed:
                self._journal.written(len(ended), place)
                self._advance()
        elif call := self._afterwards:
            call()
            with self._changed:
                if self._afterwards is call:
                    self._afterwards = None
                self._advance()

    def _advance(self) -> None:
        self._progress = time.monotonic()
        self._away = None
        self._changed.notify_all()

    def _check(self) -> None:
        if self._refused:
            raise self._unwritten(self._refused) from self._refused

    def _unwritten(self, error: Exception | None) -> StoreError:
        why = "the store takes nothing"
        if error:
            kind = "" if isinstance(error, StoreError) else f"{type(error).__name__}: "
            why = kind + " ".join(str(error).split())
        command = f"`paretoib resume {self._sweep_id[:8]}`"
        count, path = self._journal.waiting, self._journal.path
        trials = "1 ended trial waits" if count == 1 else f"{count} ended trials wait"
        if isinstance(error, TakenOverError):
            return TakenOverError(f"{why}; {trials} in {path}" if count else why)
        if not count:
            return StoreError(f"{why}; all trials are written, and {command} ends the sweep")
        return StoreError(f"{why}; {trials} in {path}, and {command} writes them")
