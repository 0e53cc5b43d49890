"""The thread that writes a sweep's journal to its store."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from paretoib.errors import (
    InvalidDataError,
    ModelNotStoredError,
    StoreError,
    StoreUnavailableError,
    TakenOverError,
)
from paretoib.tracking._journal.file import JournalFile, refused_path
from paretoib.tracking._tracker import EndedTrial, Tracker

_log = logging.getLogger(__name__)

_BATCH = 64  # trials
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds between two tries while the store is unavailable
# Tries to write or to delete model files while the store is available for everything else.
_MODEL_TRIES = 6
_WARN_AFTER = 2.0  # seconds that `drain` waits for an unavailable store before it warns


class Writer:
    """Writes one sweep's trials to the store in order, then makes the call of `call_when_written`.

    The thread retries while the store is unavailable. A trial that the store refuses is set aside,
    so that it does not block the trials behind it. If only the model file of a trial cannot be
    written, the thread retries a few times, and then writes the trial without the file. The thread
    ends when it is stopped, or when the store refuses a call for good; `add`, `call_when_written`
    and `drain` then raise that error. It is a daemon thread: the trials are in the journal, so the
    process may end at any time.
    """

    def __init__(self, store: Tracker, sweep_id: str, journal: JournalFile) -> None:
        self._store = store
        self._sweep_id = sweep_id
        self._journal = journal
        # Guards the fields below and the journal; not held during calls to the store.
        self._changed = threading.Condition()
        self._call: Callable[[], None] | None = None
        self._dropped: dict[str, list[str]] = {}  # for each reason, the trials
        self._model_failures: Counter[str] = Counter()
        self._without_model: dict[str, str] = {}  # for each trial, the reason
        self._unavailable: Exception | None = None
        self._refused: Exception | None = None
        self._suspects = 0  # the number of next trials of which the store refuses at least one
        self._last_progress = 0.0
        self._stopping = False
        self.waiting_stopped = False
        self.refusals: list[str] = []  # for each trial that was set aside, the reason
        self._thread = threading.Thread(target=self._run, name="paretoib-journal", daemon=True)
        self._thread.start()

    def add(self, trials: Sequence[EndedTrial]) -> None:
        """Append trials to the journal; the thread writes them to the store."""
        with self._changed:
            self._journal.append(trials)
            self._changed.notify_all()
            self._raise_if_refused()

    def drop_models(self, trials: Collection[str], reason: str) -> None:
        """Delete the model files of these trials once all trials are written."""
        with self._changed:
            self._dropped.setdefault(reason, []).extend(trials)
            self._changed.notify_all()

    def call_when_written(self, call: Callable[[], None]) -> None:
        """Make this call once all trials are written; an earlier call that waits is dropped."""
        with self._changed:
            self._raise_if_refused()
            self._call = call
            self._changed.notify_all()

    def drain(self, patience: float) -> None:
        """Wait until everything is written to the store.

        Raises `StoreError` after `patience` seconds without progress, or if the store is
        unavailable and `waiting_stopped` is set.
        """
        warned = False
        with self._changed:
            self._last_progress = time.monotonic()
            while self._busy():
                self._raise_if_refused()
                waited = time.monotonic() - self._last_progress
                if waited >= patience or (self._unavailable and self.waiting_stopped):
                    raise self._not_written_error(self._unavailable)
                if self._unavailable and waited > _WARN_AFTER and not warned:
                    warned = True
                    message = "waiting for MLflow, %g s at most or until Ctrl-C: %s"
                    _log.warning(message, patience, self._unavailable)
                # Poll: a signal handler sets `waiting_stopped` and cannot notify.
                self._changed.wait(min(patience - waited, 0.1))
            self._raise_if_refused()

    def stop(self) -> None:
        """End the thread after its current call to the store."""
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
            except ModelNotStoredError as error:
                self._note_model_failure(error)
                self._wait(lambda: False, pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except StoreUnavailableError as error:
                self._unavailable = error
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
        """Wait until `ready` or for `seconds`; False if the thread should stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or ready(), seconds)
            return not self._stopping

    def _busy(self) -> bool:
        return bool(self._journal.waiting or self._dropped or self._call)

    def _write(self) -> None:
        if self._journal.waiting:
            trials, offset = self._journal.next(1 if self._suspects else _BATCH)
            try:
                self._store.add(self._sweep_id, [*map(self._with_model, trials)])
                self._journal.remove_models(trials)
            except InvalidDataError as error:
                if len(trials) > 1:
                    # The store refuses at least one of the trials: add each alone.
                    self._suspects = len(trials)
                    return
                self._set_aside(trials[0], str(error))
            with self._changed:
                self._suspects = max(0, self._suspects - len(trials))
                self._journal.mark_written(len(trials), offset)
                self._note_progress()
        elif self._dropped:
            self._drop_models()
        elif call := self._call:
            call()
            with self._changed:
                if self._call is call:
                    self._call = None
                self._note_progress()

    def _with_model(self, trial: EndedTrial) -> EndedTrial:
        """The trial to write: without its model file if the store does not take the file."""
        reason = self._without_model.get(trial.record.trial)
        if not reason or trial.model is None:
            return trial
        return replace(trial, model=trial.model.without_content(reason))

    def _note_model_failure(self, error: ModelNotStoredError) -> None:
        self._model_failures[error.trial] += 1
        if not error.retryable or self._model_failures[error.trial] >= _MODEL_TRIES:
            self._without_model[error.trial] = str(error)
            _log.warning("the model of trial %s is not kept: %s", error.trial, error)

    def _drop_models(self) -> None:
        """Delete model files for one reason; a failure is retried, then logged."""
        with self._changed:
            reason, trials = next((r, list(keys)) for r, keys in self._dropped.items())
        try:
            self._store.drop_models(self._sweep_id, trials, reason)
        except TakenOverError:
            raise
        except StoreError as error:
            self._model_failures[reason] += 1
            retryable = isinstance(error, StoreUnavailableError)
            if retryable and self._model_failures[reason] < _MODEL_TRIES:
                raise
            _log.warning("models that are no longer needed are not deleted: %s", error)
        self._model_failures.pop(reason, None)
        with self._changed:
            self._dropped[reason] = self._dropped[reason][len(trials) :]
            if not self._dropped[reason]:
                del self._dropped[reason]
            self._note_progress()

    def _set_aside(self, trial: EndedTrial, reason: str) -> None:
        self._journal.set_aside(trial, reason)
        self.refusals.append(reason)
        path = refused_path(self._journal.path)
        _log.warning("trial %s is kept in %s: %s", trial.record.trial, path, reason)

    def _note_progress(self) -> None:
        self._last_progress = time.monotonic()
        self._unavailable = None
        self._changed.notify_all()

    def _raise_if_refused(self) -> None:
        if self._refused:
            raise self._not_written_error(self._refused) from self._refused

    def _not_written_error(self, error: Exception | None) -> StoreError:
        """The error for a sweep that is not completely written: the cause, and how to go on."""
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
