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
ASKED = 64  # trials asked for at a time, for each worker: enough to fill packs


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
            return Searcher.FINISHED if self._driver.done or not self._in_flight else None
        pack = self._in_flight[trial_id] = self._queue.popleft()
        return {**self._common, "trials": [spec.document for spec in pack]}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A pack has ended, with records or with its worker lost once too often."""
        pack = self._in_flight.pop(trial_id)
        texts = (result or {}).get("records")
        if error or texts is None:
            reason = f"its worker was lost {RETRIES + 1} times"
            records = [failed_record(spec, reason) for spec in pack]
        else:
            records = [TrialRecord.from_json(text) for text in texts]
        with interrupts_held() as caught:
            for record in records:
                self._driver.tell(record)
                self._on_record(record)
        if caught:
            raise KeyboardInterrupt

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
    """Run a driver's trials to the end; `on_record` is called for each, one at a time."""
    common = {
        "threads": int(workers.cpus),
        "device": workers.device,
        "folder": str(folder.resolve()),
    }
    searcher = Packs(driver, plan, on_record, batch=ASKED * workers.count, common=common)
    # Tune wants a folder for its own state; nothing of it is kept.
    with tempfile.TemporaryDirectory(prefix="paretoib-tune-") as scratch:
        tune.Tuner(
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
        ).fit()
