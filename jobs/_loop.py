"""The loop of a sweep: a driver proposes, Tune places packs on workers, records come back."""

import logging
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.search import Searcher

from jobs._cluster import Workers
from jobs._interrupts import interrupts_held
from jobs._worker import failed_record, train_pack
from paretoib.records import TrialRecord
from paretoib.search import Driver
from paretoib.specs import TrialSpec

Planner = Callable[[Sequence[TrialSpec]], list[list[TrialSpec]]]
OnRecord = Callable[[TrialRecord], None]

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


class Packs(Searcher):
    """Gives Tune a pack of trials at a time and takes their records back.

    Tune's "trial" is our pack; its id names a pack in flight.
    """

    def __init__(
        self,
        driver: Driver,
        plan: Planner,
        on_record: OnRecord,
        *,
        batch: int,
        common: dict[str, Any],
    ) -> None:
        super().__init__()
        self._driver = driver
        self._plan = plan
        self._on_record = on_record
        self._batch = batch
        self._common = common
        self._queue: deque[list[TrialSpec]] = deque()
        self._in_flight: dict[str, list[TrialSpec]] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """The next pack; None while the driver waits for records."""
        if not self._queue:
            self._queue.extend(self._plan(self._driver.ask(self._batch)))
        if not self._queue:
            # A pack in flight may yet come back, to be split.
            return None if self._in_flight else Searcher.FINISHED
        pack = self._in_flight[trial_id] = self._queue.popleft()
        return {**self._common, "trials": [spec.document for spec in pack]}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A pack has ended, with records or with its worker lost once too often.

        One of its trials may be to blame for that, so each then gets a worker of its own.
        """
        pack = self._in_flight.pop(trial_id)
        texts = (result or {}).get("records")
        if error or texts is None:
            if len(pack) > 1:
                self._queue.extend([spec] for spec in pack)
                return
            records = [failed_record(pack[0], f"its worker was lost {RETRIES + 1} times")]
        else:
            records = [TrialRecord.from_json(text) for text in texts]
        with interrupts_held() as caught:
            self._take(records)
        if caught:
            raise KeyboardInterrupt

    def _take(self, records: Sequence[TrialRecord]) -> None:
        failures = []
        for record in records:
            try:
                self._on_record(record)
            except Exception as error:
                # The others may still be written; what is not is trained anew by a resume.
                failures.append(error)
                continue
            # A search may look at the validation split alone.
            self._driver.tell(record.model_copy(update={"test": None}))
        if failures:
            raise _Unwritten(failures[0])

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its searcher for a restoration that is never asked for."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a sweep is resumed from MLflow's records, not from Tune's files."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, likewise."""


def run_packs(
    driver: Driver, plan: Planner, on_record: OnRecord, workers: Workers, *, folder: Path
) -> None:
    """Run a driver's trials to the end; `on_record` is called for each, one at a time.

    Raises what `on_record` raises, once it has been offered all records of the pack.
    """
    common = {
        "threads": workers.cpus,
        "device": workers.device,
        "folder": str(folder.resolve()),
    }
    searcher = Packs(driver, plan, on_record, batch=ASKED * workers.count, common=common)
    # Tune wants a folder for its own state; nothing of it is kept.
    with tempfile.TemporaryDirectory(prefix="paretoib-tune-") as scratch:
        tuner = tune.Tuner(
            tune.with_resources(train_pack, workers.resources),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                num_samples=-1,
                max_concurrent_trials=workers.count,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                storage_path=scratch,
                failure_config=tune.FailureConfig(max_failures=RETRIES),
                verbose=0,
            ),
        )
        try:
            tuner.fit()
        except _Unwritten as unwritten:
            raise unwritten.error from None
