"""Train a pack of trials on a Ray worker."""

import json
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from threading import Timer
from typing import Any

from jobs.local_parts import load_encoder
from jobs.moasha import RungClient, rung_client
from jobs.models import ModelCollector
from jobs.progress import ProgressWriter
from paretoib.errors import OutOfMemoryError, ParetoIBError
from paretoib.records import TrialRecord
from paretoib.specs import TrialSpec

GRACE_SECONDS = 30.0  # from a pack's time limit until its worker's process is killed

RunPack = Callable[[Sequence[TrialSpec]], list[TrialRecord]]


def train_pack(config: dict[str, Any]) -> None:
    """Tune's trainable: train the trials of `config` and report their records and models.

    If this worker cannot start, for example because a package is missing, it reports the reason as
    `start_error`. The trials do not fail then: another worker may be able to train them.
    """
    from ray import tune

    collector = ModelCollector(config["models"])
    try:
        specs, train = _prepare(config, collector)
    except Exception as error:
        tune.report({"start_error": _reason(error)})
        return
    records = [record.to_json() for record in run_pack(specs, train)]
    tune.report({"records": records, "models": collector.models})


def _prepare(
    config: Mapping[str, Any], collector: ModelCollector
) -> tuple[list[TrialSpec], RunPack]:
    """The trials of `config`, and a function that trains them in this process.

    The models go to the collector.
    """
    import torch

    from paretoib.training import run_trials

    load_encoder(config["encoder"])
    torch.set_num_threads(max(1, config["threads"]))
    if 0 < config["share"] < 1 and config["device"].startswith("cuda"):
        # A pack that needs more than its share of the GPU's memory is halved. The limit protects
        # other packs on the GPU.
        torch.cuda.set_per_process_memory_fraction(config["share"])
    specs = [TrialSpec.from_document(document) for document in json.loads(config["trials"])]
    limit = config["limit_seconds"]
    rungs = rung_client(config["rung_actor"]) if config["rung_actor"] else None
    progress = ProgressWriter(Path(config["progress"]))

    def train(trials: Sequence[TrialSpec]) -> list[TrialRecord]:
        with _killed_if_hanging(None if limit is None else limit * len(trials)):
            return run_trials(
                trials,
                device=config["device"],
                folder=Path(config["folder"]),
                checkpoints=Path(config["checkpoints"]),
                limit_seconds=limit,
                on_epoch=progress.write,
                on_models=collector,
                **_rung_options(rungs),
            )

    return specs, train


def run_pack(specs: Sequence[TrialSpec], train: RunPack) -> list[TrialRecord]:
    """Train the trials. A trial that raises gets a failed record; the others are trained."""
    try:
        return train(specs)
    except OutOfMemoryError as error:
        # Each half of the pack may fit into memory.
        reason, parts = _reason(error), 2
    except Exception as error:
        # One trial raised. Train each trial alone, so that the other trials get their results.
        reason, parts = _reason(error), len(specs)
    if len(specs) == 1:
        return [failed_record(specs[0], reason)]
    # Train outside of `except`, because the exception keeps the pack's memory alive.
    cuts = [round(i * len(specs) / parts) for i in range(parts + 1)]
    return [record for start, end in pairwise(cuts) for record in run_pack(specs[start:end], train)]


def failed_record(spec: TrialSpec, reason: str) -> TrialRecord:
    """The record of a failed trial."""
    return TrialRecord(trial=spec.key, spec=spec.document, status="failed", reason=reason)


@contextmanager
def _killed_if_hanging(seconds: float | None) -> Iterator[None]:
    """Kill this process if a pack still runs `GRACE_SECONDS` after its time limit.

    `run_trials` checks the limit between two steps. A step that never returns ends only with its
    process; the job then sees a lost worker.
    """
    if seconds is None:
        yield
        return
    timer = Timer(seconds + GRACE_SECONDS, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _rung_options(rungs: RungClient | None) -> Mapping[str, Any]:
    if rungs is None:
        return {}
    return {"rungs": rungs.shares, "on_rung": rungs.report}


def _reason(error: Exception) -> str:
    """The error in one line, with its type and line of code unless it is a `ParetoIBError`."""
    text = " ".join(str(error).split())[:300]
    if isinstance(error, ParetoIBError):
        return text
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {text} ({Path(frame.filename).name}:{frame.lineno})"
