"""Stores of sweeps whose trials have made-up numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from paretoib.records import Metrics, Reference, Status, SweepInfo, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import HEARTBEAT_SECONDS, EndedTrial, Ruler, front_of
from paretoib.tracking._mlflow.tracker import MLflowTracker

LABELS = 3.3  # bits
RULER = Ruler(Reference(rate_bits=33.0, lost_bits=LABELS), LABELS)


def tracker_of(folder: Path) -> MLflowTracker:
    return MLflowTracker(f"sqlite:///{folder}/mlflow.db")


def records_of(spec: SweepSpec, count: int, shift: float = 0.0) -> list[TrialRecord]:
    """Trials along a convex front, every fifth one diverged, every third a little behind it."""
    found = []
    for place in range(count):
        # Four seeds of each setting.
        varied = "beta" if "beta" in spec.weighting.params else "mu"
        trial = spec.template.with_fields({"seed": place % 4, varied: 0.001 * (1 + place // 4)})
        rate = 0.1 * 1.4 ** (place % 16) + place / 1e4
        lost = LABELS / (1 + rate) + shift + 0.2 * (place % 3 == 2)
        metrics = Metrics(
            examples=360,
            rate_bits=rate,
            rate_lower_bits=0.9 * rate,
            rate_se_bits=0.01,
            relevance_bits=LABELS - lost,
            relevance_se_bits=0.01,
            ceiling_bits=LABELS,
            lost_bits=lost,
            cross_entropy_bits=lost,
            accuracy=0.9,
        )
        diverged = place % 5 == 4
        found.append(
            TrialRecord(
                trial=trial.key,
                spec=trial.document,
                status="diverged" if diverged else "finished",
                reason="the loss was not finite in epoch 7" if diverged else None,
                validation=None if diverged else metrics,
                test=None if diverged else metrics,
                history={"train/prediction": (1.5, 0.5, place / 100)},
                seconds=2.0,
                device="cpu",
            )
        )
    return found


def make(
    folder: Path,
    ended: int,
    *,
    status: Status = "finished",
    shift: float = 0.0,
    **document: Any,
) -> SweepInfo:
    """A sweep in a store, with so many of its trials ended."""
    spec = SweepSpec.from_document({"method": "vib", "trials": max(1, ended), **document})
    store = tracker_of(folder)
    info = store.create(spec)
    if ended:
        store.begin(info.id, RULER)
        records = records_of(spec, ended, shift)
        store.add(info.id, [EndedTrial(record, 60.0 + i) for i, record in enumerate(records)])
    if status != "running":
        front = front_of(info, records, RULER) if ended else None
        store.close(info.id, status, front, [])
    return info


@contextmanager
def alive(folder: Path, sweep_id: str) -> Iterator[None]:
    """A running sweep's writer, as far as others see it."""
    over, store = Event(), tracker_of(folder)

    def beat() -> None:
        while True:
            store.heartbeat(sweep_id)
            if over.wait(HEARTBEAT_SECONDS):
                return

    writer = Thread(target=beat)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()
