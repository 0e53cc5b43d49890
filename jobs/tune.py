"""The loop of a sweep: a driver proposes, Tune places packs on workers, records come back."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial

from jobs.cluster import Workers
from jobs.moasha import rungs_board
from jobs.searcher import RETRIES, OnRecords, PackSearcher, Planner, ShouldStop, Unwritten
from jobs.worker import train_pack
from paretoib.errors import ClusterError
from paretoib.search import Driver
from paretoib.specs import SweepSpec, TrialSpec

# A lost worker is no error of the sweep's: its trials are tried again, or recorded as failed.
logging.getLogger("ray.tune").setLevel(logging.CRITICAL)

ASKED = 256  # trials asked for at a time, for each worker: enough to fill the largest pack


class _Starts(tune.Callback):
    """Tells the packs when Tune has started a worker for one."""

    def __init__(self, packs: PackSearcher) -> None:
        self._packs = packs

    def on_trial_start(
        self,
        iteration: int,  # noqa: ARG002
        trials: list[Trial],  # noqa: ARG002
        trial: Trial,
        **_: Any,
    ) -> None:
        self._packs.started(trial.trial_id)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, as of the packs."""
        return {}


def run_packs(
    spec: SweepSpec,
    driver: Driver,
    plan: Planner,
    on_records: OnRecords,
    workers: Workers,
    *,
    ended: ShouldStop,
    saved: Sequence[Sequence[str]],
    folder: Path,
    checkpoints: Path,
) -> None:
    """Run a driver's trials until it or `ended` says that all is done.

    `on_records` is called with the records of each pack, one pack at a time; what it raises is
    raised, and `ClusterError` where workers cannot begin. `folder` holds the data sets,
    `checkpoints` the states of packs that take long; `saved` are the trials, by their keys, of
    those that have one.
    """
    resumed, others = _resumed(driver, saved)
    with (
        rungs_board(spec.prune) as board,
        tempfile.TemporaryDirectory(prefix="paretoib-tune-") as scratch,
    ):
        searcher = PackSearcher(
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
                storage_path=scratch,
                failure_config=tune.FailureConfig(max_failures=0),
                callbacks=[_Starts(searcher)],
                verbose=0,
            ),
        )
        try:
            tuner.fit()
        except Unwritten as unwritten:
            raise unwritten.error from None
        if searcher.refusal and not ended():
            raise ClusterError(
                f"workers should be able to begin; {RETRIES + 1} in a row could not: "
                f"{searcher.refusal}"
            )


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
