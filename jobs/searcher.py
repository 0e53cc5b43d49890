"""The packs of a sweep as Tune's searcher hands them out and takes their records back."""

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ray.tune.search import Searcher

from jobs.worker import failed_record
from paretoib.interrupts import interrupts_held
from paretoib.records import TrialRecord
from paretoib.search import Driver
from paretoib.specs import TrialSpec

Planner = Callable[[Sequence[TrialSpec]], list[list[TrialSpec]]]
OnRecords = Callable[[Sequence[TrialRecord]], None]
ShouldStop = Callable[[], bool]

RETRIES = 3  # of a pack whose worker was lost, and after a worker that could not begin


class Unwritten(BaseException):
    """A record could not be written; `error` says why.

    Tune takes an `Exception` here for a failure of the trial, and would train it again.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


@dataclass
class _Attempt:
    """A pack, the workers that it has cost so far, and when the present one has started."""

    trials: list[TrialSpec]
    lost: int = 0
    started: float = math.inf


class PackSearcher(Searcher):
    """Gives Tune a pack of trials at a time and takes their records back.

    Tune's "trial" is an attempt at one of our packs; its id names it while it is in flight. The
    packs of `first` come before those that are planned. None is placed once `ended` says so; what
    is in flight then may end.

    Workers that cannot begin cost no trial, only time: their packs go to others. After so many in a
    row that none is worth a try, nothing is placed until a pack in flight has been trained; where
    there is none, the loop ends and `refusal` says why.
    """

    def __init__(
        self,
        driver: Driver,
        plan: Planner,
        on_records: OnRecords,
        *,
        ended: ShouldStop,
        first: Iterable[list[TrialSpec]],
        batches: Iterator[int],
        trial_seconds: float | None,
        common: dict[str, Any],
    ) -> None:
        super().__init__()
        self._driver = driver
        self._plan = plan
        self._on_records = on_records
        self._ended = ended
        self._batches = batches
        self._trial_seconds = trial_seconds
        self._common = common
        self._queue = deque(_Attempt(pack) for pack in first)
        self._in_flight: dict[str, _Attempt] = {}
        self._refusals: list[str] = []  # in a row

    @property
    def refusal(self) -> str | None:
        """Why the last of too many workers could not begin."""
        return self._refusals[-1] if len(self._refusals) > RETRIES else None

    def started(self, trial_id: str) -> None:
        """An attempt has its worker; until then it waits for room."""
        self._in_flight[trial_id].started = time.monotonic()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """The next pack; None while the driver waits for records."""
        if self._ended() or self.refusal:
            return None if self._in_flight else Searcher.FINISHED
        if not self._queue:
            packs = self._plan(self._driver.ask(next(self._batches)))
            self._queue.extend(_Attempt(pack) for pack in packs)
        if not self._queue:
            # A pack in flight may yet come back, to be split.
            return None if self._in_flight else Searcher.FINISHED
        attempt = self._in_flight[trial_id] = self._queue.popleft()
        attempt.started = math.inf
        # As text: Tune copies and flattens what it is given, several times.
        documents = json.dumps([spec.document for spec in attempt.trials])
        return {**self._common, "trials": documents}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """An attempt has ended: with records, refused by its worker, or with that lost."""
        attempt = self._in_flight.pop(trial_id)
        found = result if result and not error else {}
        texts, refused = found.get("records"), found.get("refused")
        records: list[TrialRecord] = []
        if refused is not None:
            self._refusals.append(refused)
            self._queue.append(attempt)
        elif texts is None:
            records = self._lost(attempt)
        else:
            self._refusals.clear()
            records = [TrialRecord.from_json(text) for text in texts]
            # Tune holds on to every result until the sweep has ended.
            texts.clear()
        with interrupts_held() as caught:
            self._take(records)
        if caught:
            raise KeyboardInterrupt

    def _lost(self, attempt: _Attempt) -> list[TrialRecord]:
        """Try a pack again whose worker was lost, as long as there is hope; else its record."""
        attempt.lost += 1
        limit, trials = self._trial_seconds, attempt.trials
        hung = limit is not None and time.monotonic() - attempt.started > limit * len(trials)
        if not hung and attempt.lost <= RETRIES:
            self._queue.appendleft(attempt)
            return []
        if len(trials) > 1:
            # One of its trials may be to blame, so each now gets a worker of its own.
            self._queue.extend(_Attempt([spec]) for spec in trials)
            return []
        reason = f"its worker was lost {attempt.lost} times"
        if hung:
            reason = f"took longer than {limit:g} s, and its worker had to be ended"
        return [failed_record(trials[0], reason)]

    def _take(self, records: Sequence[TrialRecord]) -> None:
        if not records:
            return
        try:
            self._on_records(records)
        except Exception as error:
            raise Unwritten(error) from error
        for record in records:
            # A search may look at the validation split alone.
            self._driver.tell(record.model_copy(update={"test": None}))

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its searcher for a restoration that is never asked for."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a sweep is resumed from MLflow's records, not from Tune's files."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, likewise."""
