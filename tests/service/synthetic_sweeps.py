"""Writes sweeps with synthetic trials to a store, without training."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from paretoib.records import (
    Metrics,
    ModelFile,
    ReferencePoint,
    RunningPacks,
    Status,
    SweepState,
    TrialRecord,
)
from paretoib.specs import SweepSpec, TrialSpec
from paretoib.tracking import HEARTBEAT_SECONDS, EndedTrial, Ruler, TrialModel, front_of
from paretoib.tracking._mlflow.tracker import MLflowTracker

LABEL_ENTROPY = 3.3  # bits
RULER = Ruler(ReferencePoint(rate_bits=33.0, lost_bits=LABEL_ENTROPY), LABEL_ENTROPY)


def open_tracker(folder: Path) -> MLflowTracker:
    """A tracker for the store in a folder."""
    return MLflowTracker(f"sqlite:///{folder}/mlflow.db")


def synthetic_records(spec: SweepSpec, count: int, shift: float = 0.0) -> list[TrialRecord]:
    """Trials along a convex curve; every fifth has diverged, every third has 0.2 more lost bits."""
    records = []
    varied = "beta" if "beta" in spec.weighting.params else "mu"
    for index in range(count):
        # Each value has four seeds.
        trial = spec.template.with_fields({"seed": index % 4, varied: 0.001 * (1 + index // 4)})
        rate = 0.1 * 1.4 ** (index % 16) + index / 1e4
        lost = LABEL_ENTROPY / (1 + rate) + shift + 0.2 * (index % 3 == 2)
        metrics = Metrics(
            examples=360,
            rate_bits=rate,
            rate_lower_bits=0.9 * rate,
            rate_se_bits=0.01,
            relevance_bits=LABEL_ENTROPY - lost,
            relevance_se_bits=0.01,
            ceiling_bits=LABEL_ENTROPY,
            lost_bits=lost,
            cross_entropy_bits=lost,
            accuracy=0.9,
        )
        diverged = index % 5 == 4
        records.append(
            TrialRecord(
                trial=trial.key,
                spec=trial.document,
                status="diverged" if diverged else "finished",
                reason="the loss was not finite in epoch 7" if diverged else None,
                validation=None if diverged else metrics,
                test=None if diverged else metrics,
                history={"train/prediction": (1.5, 0.5, index / 100)},
                seconds=2.0,
                device="cpu",
            )
        )
    return records


def write_sweep(
    folder: Path,
    ended: int,
    *,
    status: Status = "finished",
    shift: float = 0.0,
    models: int = 0,
    **document: Any,
) -> SweepState:
    """Write a sweep with `ended` ended trials; further arguments are fields of its spec.

    The first `models` trials have models, with untrained weights.
    """
    spec = SweepSpec.from_document({"method": "vib", "trials": max(1, ended), **document})
    store = open_tracker(folder)
    sweep = store.create(spec)
    if ended:
        store.begin(sweep.id, RULER, None, 500 if models else None)
        records = synthetic_records(spec, ended, shift)
        store.add(
            sweep.id,
            [
                EndedTrial(record, 60.0 + i, untrained_model(record) if i < models else None)
                for i, record in enumerate(records)
            ],
        )
    if status != "running":
        front = front_of(sweep.info, records, RULER) if ended else None
        store.close(sweep.id, status, front, [])
    return sweep


def untrained_model(record: TrialRecord) -> TrialModel:
    """The model file of a trial on digits, with its initial weights."""
    from paretoib.trained import ModelHeader, encode_model, trial_model

    spec = TrialSpec.from_document(record.spec)
    model = trial_model(spec, shape=(1, 8, 8), classes=10, target_dim=None)
    header = ModelHeader(
        trial=record.trial, spec=record.spec, shape=(1, 8, 8), input_range=(0.0, 1.0), classes=10
    )
    content = encode_model(header, model.state_dict())
    return TrialModel(ModelFile(trial=record.trial, bytes=len(content)), content)


@contextmanager
def heartbeats(folder: Path, sweep_id: str, packs: RunningPacks | None = None) -> Iterator[None]:
    """Send heartbeats of a running sweep, as its writer does, while the context is active."""
    stop, store = Event(), open_tracker(folder)

    def send() -> None:
        while True:
            store.heartbeat(sweep_id, packs)
            if stop.wait(HEARTBEAT_SECONDS):
                return

    thread = Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


_SEND = """
import sys, time
from paretoib.tracking import HEARTBEAT_SECONDS
from paretoib.tracking._mlflow.tracker import MLflowTracker
store = MLflowTracker(sys.argv[1])
while True:
    store.heartbeat(sys.argv[2])
    print("sent", flush=True)
    time.sleep(HEARTBEAT_SECONDS)
"""


@contextmanager
def heartbeat_process(folder: Path, sweep_id: str) -> Iterator[None]:
    """Send heartbeats of a sweep without a writer from another process.

    Tests that change the clock or the machine of this process do not disturb it.
    """
    command = [sys.executable, "-c", _SEND, f"sqlite:///{folder}/mlflow.db", sweep_id]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"sent\n"
    try:
        yield
    finally:
        process.kill()
        process.communicate()
