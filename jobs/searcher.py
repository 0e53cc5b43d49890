"""Ray Tune's searcher of a sweep: proposes packs and receives their records."""

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ray.tune.search import Searcher

from jobs.models import ModelLimit, SentModel
from jobs.progress import ProgressFiles
from jobs.worker import failed_record
from paretoib.interrupts import deferred_interrupts, raise_deferred
from paretoib.records import TrialRecord
from paretoib.search import Driver
from paretoib.specs import TrialSpec

Planner = Callable[[Sequence[TrialSpec]], list[list[TrialSpec]]]
OnRecords = Callable[[Sequence[TrialRecord], Sequence[SentModel]], None]
ShouldStop = Callable[[], bool]

RETRIES = 3  # retries of a pack whose worker was lost; also the failed starts in a row to tolerate


class RecordsNotWritten(BaseException):
    """The records of a pack could not be written because of `error`.

    This is a `BaseException`, because Tune catches an `Exception` and treats it as a failure of the
    trial.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


@dataclass
class _Attempt:
    """A pack, the number of its lost workers, and the time when its current worker started."""

    trials: list[TrialSpec]
    lost: int = 0
    started: float = math.inf


class PackSearcher(Searcher):
    """Proposes one pack of trials at a time to Tune, and receives their records and models.

    A "trial" of Tune is one attempt to train a pack; `trial_id` identifies it while it is in
    flight. The packs of `first` are placed first, then the packs that `plan` makes of the driver's
    trials. Once `should_stop` returns True, no more packs are placed; packs in flight finish.

    A worker may fail to start, for example because a package is missing. Then no trial fails:
    another worker gets the pack. After too many failed starts in a row, no pack is placed until a
    pack in flight has been trained. If no pack is in flight, the loop ends, and `start_error` has
    the reason.
    """

    def __init__(
        self,
        driver: Driver,
        plan: Planner,
        on_records: OnRecords,
        *,
        should_stop: ShouldStop,
        first: Iterable[list[TrialSpec]],
        batches: Iterator[int],
        trial_seconds: float | None,
        progress: ProgressFiles,
        model_limit: Callable[[], ModelLimit],
        common: dict[str, Any],
    ) -> None:
        super().__init__()
        self._driver = driver
        self._plan = plan
        self._on_records = on_records
        self._should_stop = should_stop
        self._batches = batches
        self._trial_seconds = trial_seconds
        self._progress = progress
        self._model_limit = model_limit
        self._models: dict[str, list[SentModel]] = {}
        self._common = common
        self._queue = deque(_Attempt(pack) for pack in first)
        self._in_flight: dict[str, _Attempt] = {}
        self.last_error: str | None = None  # the error by which the last worker was lost
        self._start_errors: list[str] = []  # since the last pack that was trained

    @property
    def start_error(self) -> str | None:
        """The reason of the last failed start, after too many in a row; otherwise None."""
        return self._start_errors[-1] if len(self._start_errors) > RETRIES else None

    def started(self, trial_id: str) -> None:
        """Note the time at which an attempt got its worker; until then it waits for resources."""
        self._in_flight[trial_id].started = time.monotonic()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """The next pack; if there is none, None while packs are in flight, then `FINISHED`."""
        if self._should_stop() or self.start_error:
            return None if self._in_flight else Searcher.FINISHED
        if not self._queue:
            packs = self._plan(self._driver.ask(next(self._batches)))
            self._queue.extend(_Attempt(pack) for pack in packs)
        if not self._queue:
            # A pack in flight may still be split and placed again.
            return None if self._in_flight else Searcher.FINISHED
        attempt = self._in_flight[trial_id] = self._queue.popleft()
        attempt.started = math.inf
        # JSON text, because Tune copies and flattens its configurations several times.
        documents = json.dumps([spec.document for spec in attempt.trials])
        progress = str(self._progress.add(trial_id))
        own = {"trials": documents, "progress": progress, "models": self._model_limit()}
        return {**self._common, **own}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Take the models out of a result, before Tune keeps it and writes it to its files."""
        models = result.get("models", [])
        self._models[trial_id] = [*models]
        models.clear()

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Handle an attempt that ended with records, a failed start or a lost worker."""
        attempt = self._in_flight.pop(trial_id)
        self._progress.remove(trial_id)
        models = self._models.pop(trial_id, [])
        reported = result if result and not error else {}
        texts, start_error = reported.get("records"), reported.get("start_error")
        records: list[TrialRecord] = []
        if start_error is not None:
            self._start_errors.append(start_error)
            self._queue.append(attempt)
        elif texts is None:
            records = self._handle_lost_worker(attempt)
        else:
            self._start_errors.clear()
            records = [TrialRecord.from_json(text) for text in texts]
            # Tune keeps every result until the sweep ends: free the memory of the records.
            texts.clear()
        with deferred_interrupts() as caught:
            self._write(records, models)
        raise_deferred(caught)

    def _handle_lost_worker(self, attempt: _Attempt) -> list[TrialRecord]:
        """Retry or split a pack whose worker was lost.

        Returns the record of a failed trial if the pack has one trial and is not retried.
        """
        attempt.lost += 1
        limit, trials = self._trial_seconds, attempt.trials
        hung = limit is not None and time.monotonic() - attempt.started > limit * len(trials)
        if not hung and attempt.lost <= RETRIES:
            self._queue.appendleft(attempt)
            return []
        if len(trials) > 1:
            # One of the trials may be the cause, so each becomes a pack of its own.
            self._queue.extend(_Attempt([spec]) for spec in trials)
            return []
        reason = f"its worker was lost {attempt.lost} times"
        if self.last_error:
            reason += f", the last time by {self.last_error}"
        if hung:
            reason = f"took longer than {limit:g} s, so its worker was killed"
        return [failed_record(trials[0], reason)]

    def _write(self, records: Sequence[TrialRecord], models: Sequence[SentModel]) -> None:
        if not records:
            return
        try:
            self._on_records(records, models)
        except Exception as error:
            raise RecordsNotWritten(error) from error
        for record in records:
            # Searches see only the validation split.
            self._driver.tell(record.model_copy(update={"test": None}))

    def __getstate__(self) -> dict[str, Any]:
        """An empty state: Tune pickles its searcher for a restore that never happens."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: a sweep is resumed from the records in MLflow, not from Tune's files."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing, for the same reason as `save`."""
