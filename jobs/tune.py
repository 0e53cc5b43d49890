"""The main loop of a sweep: Ray Tune places the packs of a `PackSearcher` on workers."""

import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial

from jobs.local_parts import pickled_encoder
from jobs.moasha import rung_results
from jobs.models import ModelLimit
from jobs.progress import ProgressFiles
from jobs.searcher import RETRIES, OnRecords, PackSearcher, Planner, RecordsNotWritten, ShouldStop
from jobs.worker import train_pack
from paretoib.errors import ClusterError
from paretoib.records import Workers
from paretoib.search import Driver
from paretoib.specs import SweepSpec, TrialSpec

# Tune logs every lost worker as an error. Its logs are off, because the searcher handles the loss.
logging.getLogger("ray.tune").setLevel(logging.CRITICAL)

BATCH = 256  # trials to request from the driver for each worker: the size of the largest pack


class _TuneEvents(tune.Callback):
    """Tells the searcher when a pack gets its worker, and by which error a worker was lost.

    Also calls `on_step` in each step of Tune's loop, several times a second.
    """

    def __init__(self, searcher: PackSearcher, on_step: Callable[[], None]) -> None:
        self._searcher = searcher
        self._on_step = on_step

    def on_step_end(
        self,
        iteration: int,  # noqa: ARG002
        trials: list[Trial],  # noqa: ARG002
        **_: Any,
    ) -> None:
        self._on_step()

    def on_trial_start(
        self,
        iteration: int,  # noqa: ARG002
        trials: list[Trial],  # noqa: ARG002
        trial: Trial,
        **_: Any,
    ) -> None:
        self._searcher.started(trial.trial_id)

    def on_trial_error(
        self,
        iteration: int,  # noqa: ARG002
        trials: list[Trial],  # noqa: ARG002
        trial: Trial,
        **_: Any,
    ) -> None:
        if error := trial.get_error():
            self._searcher.last_error = _cause(str(error))

    def __getstate__(self) -> dict[str, Any]:
        """An empty state: Tune pickles its callbacks for a restore that never happens."""
        return {}


def _cause(report: str) -> str:
    """The last line of Ray's report that names an exception, else the last line.

    It is cut to 200 characters.
    """
    lines = [
        line.strip() for line in report.splitlines() if re.match(r"[\w.]+(Error|Exception):", line)
    ]
    return (lines or report.strip().splitlines() or [""])[-1][:200]


def run_packs(
    spec: SweepSpec,
    driver: Driver,
    plan: Planner,
    on_records: OnRecords,
    workers: Workers,
    *,
    should_stop: ShouldStop,
    saved: Sequence[Sequence[str]],
    folder: Path,
    checkpoints: Path,
    progress: ProgressFiles,
    model_limit: Callable[[], ModelLimit],
    on_step: Callable[[], None],
) -> None:
    """Run the driver's trials until the driver has no more, or `should_stop` returns True.

    `on_records` is called with the records and the models of each pack, one pack at a time; its
    exceptions are raised here. `model_limit` returns the limit on the models of the next pack.
    `on_step` is called several times a second. Data sets are in `folder`, checkpoints in
    `checkpoints`, and workers write how far their packs are to the files of `progress`. `saved`
    lists, for each pack with a checkpoint, the keys of its trials. Raises `ClusterError` if workers
    cannot start.
    """
    resumed, others = _packs_to_resume(driver, saved)
    with (
        rung_results(spec.prune) as rung_actor,
        tempfile.TemporaryDirectory(prefix="paretoib-tune-") as scratch,
    ):
        searcher = PackSearcher(
            driver,
            plan,
            on_records,
            should_stop=should_stop,
            first=[*resumed, *plan(others)],
            batches=_batches(workers),
            trial_seconds=spec.trial_seconds,
            progress=progress,
            model_limit=model_limit,
            common={
                "threads": workers.cpus,
                "device": workers.device,
                "share": workers.gpus,
                "folder": str(folder.resolve()),
                "checkpoints": str(checkpoints.resolve()),
                "limit_seconds": spec.trial_seconds,
                "rung_actor": rung_actor,
                "encoder": pickled_encoder(spec),
            },
        )
        tuner = tune.Tuner(
            tune.with_resources(train_pack, _resources(workers)),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                num_samples=-1,
                max_concurrent_trials=workers.count,
                reuse_actors=True,
            ),
            # Tune needs a folder for its state; the folder is deleted afterwards. Tune retries
            # nothing (`max_failures`), because it cannot tell a pack that hangs from a pack whose
            # worker was lost; the searcher retries.
            run_config=tune.RunConfig(
                storage_path=scratch,
                failure_config=tune.FailureConfig(max_failures=0),
                callbacks=[_TuneEvents(searcher, on_step)],
                verbose=0,
            ),
        )
        try:
            tuner.fit()
        except RecordsNotWritten as failure:
            raise failure.error from None
        if searcher.start_error and not should_stop():
            raise ClusterError(
                f"workers should start; {RETRIES + 1} in a row failed to start: "
                f"{searcher.start_error}"
            )


def _packs_to_resume(
    driver: Driver, saved: Sequence[Sequence[str]]
) -> tuple[list[list[TrialSpec]], list[TrialSpec]]:
    """The packs that have a checkpoint, and the other trials that the driver proposed meanwhile.

    The driver is asked until it has proposed all trials of these packs, or has no more. A pack is
    left out if the driver does not propose all its trials, or if an earlier pack has one of them;
    its remaining trials are then among the other trials.
    """
    proposed: dict[str, TrialSpec] = {}
    wanted = {key for pack in saved for key in pack}
    while wanted - proposed.keys() and (trials := driver.ask(BATCH)):
        proposed.update((trial.key, trial) for trial in trials)
    packs = [
        [proposed.pop(key) for key in dict.fromkeys(pack)]
        for pack in saved
        if proposed.keys() >= set(pack)
    ]
    return packs, list(proposed.values())


def _resources(workers: Workers) -> dict[str, float]:
    """The resources of a pack, in Tune's form."""
    return {"cpu": workers.cpus, **({"gpu": workers.gpus} if workers.gpus else {})}


def _batches(workers: Workers) -> Iterator[int]:
    """The number of trials in each request to the driver.

    On CPUs the first request is for one trial per worker, so that points or errors appear early. On
    GPUs it is for a full batch, because a single trial takes as long as a pack there.
    """
    full = BATCH * workers.count
    first = full if workers.device.startswith("cuda") else workers.count
    return chain([first], repeat(full))
