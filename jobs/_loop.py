"""The loop of a sweep: a driver proposes, Tune places packs on workers, records come back."""

import json
import logging
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.search import Searcher

from jobs._cluster import Workers
from jobs._interrupts import interrupts_held
from jobs._rungs import rungs_board
from jobs._worker import failed_record, train_pack
from paretoib.records import TrialRecord
from paretoib.search import Driver
from paretoib.specs import SweepSpec, TrialSpec

Planner = Callable[[Sequence[TrialSpec]], list[list[TrialSpec]]]
OnRecords = Callable[[Sequence[TrialRecord]], None]
Ended = Callable[[], bool]

# A lost worker is no error of the sweep's: its trials are tried again, or recorded as failed.
logging.getLogger("ray.tune").setLevel(logging.CRITICAL)

RETRIES = 3  # of a pack whose worker was lost
ASKED = 256  # trials asked for at a time, for each worker: enough to fill the largest pack


class _Unwritten(BaseException):
    """A record could not be written; `error` says why.

    Tune takes an `Exception` here for a failure of the trial, and would train it again.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


@dataclass
class _Attempt:
    """A pack, the workers that it has cost so far, and when the present one was given it."""

    trials: list[TrialSpec]
    lost: int = 0
    placed: float = field(default_factory=time.monotonic)


class Packs(Searcher):
    """Gives Tune a pack of trials at a time and takes their records back.

    Tune's "trial" is an attempt at one of our packs; its id names it while it is in flight. The
    packs of `first` come before those that are planned. None is placed once `ended` says so; what
    is in flight then may end.
    """

    def __init__(
        self,
        driver: Driver,
        plan: Planner,
        on_records: OnRecords,
        *,
        ended: Ended,
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

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """The next pack; None while the driver waits for records."""
        if self._ended():
            return None if self._in_flight else Searcher.FINISHED
        if not self._queue:
            packs = self._plan(self._driver.ask(next(self._batches)))
            self._queue.extend(_Attempt(pack) for pack in packs)
        if not self._queue:
            # A pack in flight may yet come back, to be split.
            return None if self._in_flight else Searcher.FINISHED
        attempt = self._in_flight[trial_id] = self._queue.popleft()
        attempt.placed = time.monotonic()
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
        if refused is not None:
            records = [failed_record(spec, refused) for spec in attempt.trials]
        elif texts is None:
            records = self._lost(attempt)
        else:
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
        hung = limit is not None and time.monotonic() - attempt.placed > limit * len(trials)
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
            raise _Unwritten(error) from error
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


def run_packs(
    spec: SweepSpec,
    driver: Driver,
    plan: Planner,
    on_records: OnRecords,
    workers: Workers,
    *,
    ended: Ended,
    saved: Sequence[Sequence[str]],
    folder: Path,
    checkpoints: Path,
) -> None:
    """Run a driver's trials until it or `ended` says that all is done.

    `on_records` is called with the records of each pack, one pack at a time; what it raises is
    raised. `folder` holds the data sets, `checkpoints` the states of packs that take long; `saved`
    are the trials, by their keys, of those that have one.
    """
    resumed, others = _resumed(driver, saved)
    with (
        rungs_board(spec.prune) as board,
        tempfile.TemporaryDirectory(prefix="paretoib-tune-") as scratch,
    ):
        searcher = Packs(
            driver,
            plan,
            on_records,
            ended=ended,
            first=[*resumed, *plan(others)],
            batches=_batches(workers),
            trial_seconds=spec.trial_seconds,
            common={
                "threads": workers.cpus,
                "device": workers.device,
                "share": workers.gpus,
                "folder": str(folder.resolve()),
                "checkpoints": str(checkpoints.resolve()),
                "limit_seconds": spec.trial_seconds,
                "rungs": board,
            },
        )
        tuner = tune.Tuner(
            tune.with_resources(train_pack, workers.resources),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                num_samples=-1,
                max_concurrent_trials=workers.count,
                reuse_actors=True,
            ),
            # Tune wants a folder for its own state; nothing of it is kept. Attempts are counted
            # here: Tune does not tell a pack that hangs from one that lost its worker.
            run_config=tune.RunConfig(
                storage_path=scratch, failure_config=tune.FailureConfig(max_failures=0), verbose=0
            ),
        )
        try:
            tuner.fit()
        except _Unwritten as unwritten:
            raise unwritten.error from None


def _resumed(
    driver: Driver, saved: Sequence[Sequence[str]]
) -> tuple[list[list[TrialSpec]], list[TrialSpec]]:
    """The packs as they were saved, to go on from there, and what else the driver proposed by then.

    Of two packs with a trial in common the first is taken, and none whose trials are not proposed.
    """
    asked: dict[str, TrialSpec] = {}
    wanted = {key for pack in saved for key in pack}
    while wanted - asked.keys() and (more := driver.ask(ASKED)):
        asked.update((trial.key, trial) for trial in more)
    packs = [
        [asked.pop(key) for key in dict.fromkeys(pack)]
        for pack in saved
        if asked.keys() >= set(pack)
    ]
    return packs, list(asked.values())


def _batches(workers: Workers) -> Iterator[int]:
    """How many trials the driver is asked for, each time.

    At first one for each worker, so that a sweep soon has points to show, or errors; but not on
    GPUs, where a single trial takes as long as a pack.
    """
    full = ASKED * workers.count
    first = full if workers.device.startswith("cuda") else workers.count
    return chain([first], repeat(full))
