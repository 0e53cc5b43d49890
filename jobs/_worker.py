"""What runs on a worker: one pack of trials, whatever happens to it."""

import os
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paretoib.errors import ParetoIBError
from paretoib.records import TrialRecord
from paretoib.specs import TrialSpec


def train_pack(config: dict[str, Any]) -> None:
    """Tune's trainable: trains the trials of `config` and reports their records."""
    import torch
    from ray import tune

    torch.set_num_threads(max(1, config["threads"]))
    specs = [TrialSpec.model_validate(document) for document in config["trials"]]
    records = run_pack(specs, device=config["device"], folder=Path(config["folder"]))
    tune.report({"records": [record.to_json() for record in records], "worker": os.getpid()})


def run_pack(specs: Sequence[TrialSpec], *, device: str, folder: Path) -> list[TrialRecord]:
    """`run_trials`, but a trial that raises is a failed record and costs the others nothing."""
    from paretoib.training import run_trials

    try:
        return run_trials(specs, device=device, folder=folder)
    except Exception as error:
        reason = _reason(error)
    if len(specs) == 1:
        return [failed_record(specs[0], reason)]
    # One of them is to blame; the others deserve their results. Not within `except`: the error
    # holds on to the pack's memory.
    return [r for spec in specs for r in run_pack([spec], device=device, folder=folder)]


def failed_record(spec: TrialSpec, reason: str) -> TrialRecord:
    """The record of a trial that gave no result."""
    return TrialRecord(trial=spec.key, spec=spec.document, status="failed", reason=reason)


def _reason(error: Exception) -> str:
    """One line: what went wrong, and unless we raised it ourselves, where."""
    text = " ".join(str(error).split())[:300]
    if isinstance(error, ParetoIBError):
        return text
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {text} ({Path(frame.filename).name}:{frame.lineno})"
