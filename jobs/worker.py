"""What runs on a worker: one pack of trials, whatever happens to it."""

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

from jobs.moasha import Rungs, join
from paretoib.errors import OutOfMemoryError, ParetoIBError
from paretoib.records import TrialRecord
from paretoib.specs import TrialSpec

GRACE = 30.0  # seconds beyond a pack's time limit until its process is taken to hang

RunPack = Callable[[Sequence[TrialSpec]], list[TrialRecord]]


def train_pack(config: dict[str, Any]) -> None:
    """Tune's trainable: trains the trials of `config` and reports their records.

    Where this worker cannot begin, as a package or the board of the rungs is not there, it reports
    why as `refused`: that is not the trials' fault, and another worker may be able to.
    """
    from ray import tune

    try:
        specs, train = _prepared(config)
    except Exception as error:
        tune.report({"refused": _reason(error)})
        return
    records = run_pack(specs, train)
    tune.report({"records": [record.to_json() for record in records]})


def _prepared(config: Mapping[str, Any]) -> tuple[list[TrialSpec], RunPack]:
    """The trials of `config`, and what trains them here."""
    import torch

    from paretoib.training import run_trials

    torch.set_num_threads(max(1, config["threads"]))
    if 0 < config["share"] < 1 and config["device"].startswith("cuda"):
        # Beyond it the pack is halved, rather than those that it shares the GPU with.
        torch.cuda.set_per_process_memory_fraction(config["share"])
    specs = [TrialSpec.from_document(document) for document in json.loads(config["trials"])]
    limit = config["limit_seconds"]
    rungs = join(config["rungs"]) if config["rungs"] else None

    def train(trials: Sequence[TrialSpec]) -> list[TrialRecord]:
        with _ended_if_it_hangs(None if limit is None else limit * len(trials)):
            return run_trials(
                trials,
                device=config["device"],
                folder=Path(config["folder"]),
                checkpoints=Path(config["checkpoints"]),
                limit_seconds=limit,
                **_rung_options(rungs),
            )

    return specs, train


def run_pack(specs: Sequence[TrialSpec], train: RunPack) -> list[TrialRecord]:
    """`train`, but a trial that raises is a failed record and costs the others nothing."""
    try:
        return train(specs)
    except OutOfMemoryError as error:
        # What is too much at once may fit in halves.
        reason, parts = _reason(error), 2
    except Exception as error:
        # One of them is to blame; the others deserve their results.
        reason, parts = _reason(error), len(specs)
    if len(specs) == 1:
        return [failed_record(specs[0], reason)]
    # Not within `except`: the error holds on to the pack's memory.
    cuts = [round(i * len(specs) / parts) for i in range(parts + 1)]
    return [record for start, end in pairwise(cuts) for record in run_pack(specs[start:end], train)]


def failed_record(spec: TrialSpec, reason: str) -> TrialRecord:
    """The record of a trial that gave no result."""
    return TrialRecord(trial=spec.key, spec=spec.document, status="failed", reason=reason)


@contextmanager
def _ended_if_it_hangs(seconds: float | None) -> Iterator[None]:
    """End this process when a pack does not come back long after its time is over.

    `run_trials` itself keeps the limit between two steps; only the process can be ended where a
    step never returns. The job then sees a lost worker.
    """
    if seconds is None:
        yield
        return
    timer = Timer(seconds + GRACE, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _rung_options(rungs: Rungs | None) -> Mapping[str, Any]:
    if rungs is None:
        return {}
    return {"rungs": rungs.shares, "on_rung": rungs.report}


def _reason(error: Exception) -> str:
    """One line: what went wrong, and unless we raised it ourselves, where."""
    text = " ".join(str(error).split())[:300]
    if isinstance(error, ParetoIBError):
        return text
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {text} ({Path(frame.filename).name}:{frame.lineno})"
