"""The thread that writes a sweep's journal to its store."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from paretoib.errors import StoreAwayError, StoreError, TakenOverError
from paretoib.tracking._journal.file import JournalFile
from paretoib.tracking._tracker import EndedTrial, Tracker

_log = logging.getLogger(__name__)

_BATCH = 64  # trials
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds between two tries while the store is away
_WARN_AFTER = 2.0  # seconds for which `drain` waits for a store that is away before it warns


class Writer:
    """Writes one sweep's trials to the store in order, then makes the last call of `afterwards`.

    The thread retries while the store is away. It ends when it is stopped, or when the store
    refuses a call for good; every method then raises that error. It is a daemon thread: the trials
    are in the journal, so the process may end at any time.
    """

    def __init__(self, store: Tracker, sweep_id: str, journal: JournalFile) -> None:
        self._store = store
        self._sweep_id = sweep_id
        self._journal = journal
        # Guards the fields below and the journal; not held during calls of the store.
        self._changed = threading.Condition()
        self._afterwards: Callable[[], None] | None = None
        self._away: Exception | None = None
        self._refused: Exception | None = None
        self._last_progress = 0.0
        self._stopping = False
        self.waiting_stopped = False
        self._thread = threading.Thread(target=self._run, name="paretoib-journal", daemon=True)
        self._thread.start()

    def add(self, trials: Sequence[EndedTrial]) -> None:
        """Append trials to the journal; the thread writes them to the store."""
        with self._changed:
            self._journal.append(trials)
            self._changed.notify_all()
            self._raise_if_refused()

    def afterwards(self, call: Callable[[], None]) -> None:
        """Make this call once all trials are written; it replaces a call that still waits."""
        with self._changed:
            self._raise_if_refused()
            self._afterwards = call
            self._changed.notify_all()

    def drain(self, patience: float) -> None:
        """Wait until the store has everything.

        `StoreError` after `patience` seconds without progress, and while the store is away once
        `waiting_stopped` is set.
        """
        warned = False
        with self._changed:
            self._last_progress = time.monotonic()
            while self._busy():
                self._raise_if_refused()
                waited = time.monotonic() - self._last_progress
                if waited >= patience or (self._away and self.waiting_stopped):
                    raise self._unwritten(self._away)
                if self._away and waited > _WARN_AFTER and not warned:
                    warned = True
                    message = "waiting for MLflow, %g s at most or until Ctrl-C: %s"
                    _log.warning(message, patience, self._away)
                # Poll: a signal handler sets `waiting_stopped` and cannot notify.
                self._changed.wait(min(patience - waited, 0.1))
            self._raise_if_refused()

    def stop(self) -> None:
        """End the thread after its present call of the store."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def close(self) -> None:
        """End the thread and close the journal."""
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
        """Wait until `ready` or for `seconds`; False once the thread is to stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or ready(), seconds)
            return not self._stopping

    def _busy(self) -> bool:
        return bool(self._journal.waiting or self._afterwards)

    def _write(self) -> None:
        if self._journal.waiting:
            trials, offset = self._journal.next(_BATCH)
            self._store.add(self._sweep_id, trials)
            with self._changed:
                self._journal.written(len(trials), offset)
                self._note_progress()
        elif call := self._afterwards:
            call()
            with self._changed:
                if self._afterwards is call:
                    self._afterwards = None
                self._note_progress()

    def _note_progress(self) -> None:
        self._last_progress = time.monotonic()
        self._away = None
        self._changed.notify_all()

    def _raise_if_refused(self) -> None:
        if self._refused:
            raise self._unwritten(self._refused) from self._refused

    def _unwritten(self, error: Exception | None) -> StoreError:
        """The error for a sweep that is not written whole: why, and what waits where."""
        why = "the store does not answer"
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
