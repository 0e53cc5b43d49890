"""The job that runs one sweep: what `paretoib sweep` calls, and `python -m jobs.sweep ID`."""

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import TypeVar

from jobs._interrupts import interrupts_held
from paretoib.errors import ParetoIBError, SpecError
from paretoib.fronts import hypervolume_so_far
from paretoib.records import Front, Reference, Status, SweepInfo, TrialRecord
from paretoib.search import driver as new_driver
from paretoib.settings import settings
from paretoib.specs import SweepSpec, TrialSpec
from paretoib.tracking import Picture, Ruler, Tracker, front_of, tracker

FRONT_EVERY = 10.0  # seconds between two writings of the front while trials end


@dataclass(frozen=True)
class Progress:
    """How a sweep stands: trials in all, finished and failed so far, hypervolume in bits²."""

    sweep: SweepInfo
    trials: int
    finished: int
    failed: int
    hypervolume: float


T = TypeVar("T")

OnProgress = Callable[[Progress], None]


def run_sweep(
    spec: SweepSpec,
    *,
    store: Callable[[], Tracker] = tracker,
    sweep_id: str | None = None,
    on_progress: OnProgress = lambda _: None,
) -> Front:
    """Run a sweep to its end and return its front; `front.sweep.status` says how it ended.

    `sweep_id` names a sweep that the store has already; the trials that it has are not run again.
    An interrupt (Ctrl-C) ends the sweep as `interrupted`, with everything that had finished kept;
    before the sweep has been written it is raised as the `KeyboardInterrupt` that it is.
    Raises `DataError`, `StoreError`, `SpecError`, each before a sweep is made.
    """
    from jobs._cluster import ray_instance

    # Ray's processes start while this one loads torch, the data and the store.
    preparing = _in_background(lambda: _prepare(spec, store))
    with ray_instance(settings()) as workers:
        opened, shape, ruler = preparing.result()
        _check_device(spec, workers.device)
        from jobs._loop import run_packs
        from paretoib.training import plan_packs

        def plan(trials: Sequence[TrialSpec]) -> list[list[TrialSpec]]:
            return plan_packs(trials, shape, workers=workers.count, device=workers.device)

        # From its first line in the store on, a sweep is closed however it ends.
        with interrupts_held() as caught:
            info = opened.find(sweep_id) if sweep_id else opened.create(spec)
            run = _Run(spec, info, opened, ruler, on_progress)
        with run.closing():
            if caught:
                raise KeyboardInterrupt
            run_packs(run.driver, plan, run.add, workers, folder=settings().data)
    return run.front(run.status)


def train(spec: SweepSpec, *, store: Callable[[], Tracker] = tracker) -> TrialRecord:
    """Train the one trial of a sweep in this process, without Ray; its record, with history.

    Raises what `run_sweep` raises, and `SpecError` for a sweep of several trials.
    """
    opened, _, ruler = _prepare(spec, store)
    from jobs._worker import run_pack

    driver = new_driver(spec)
    trials = driver.ask(2)
    if len(trials) != 1:
        raise SpecError(f"a training run should have 1 trial; found {spec.trials}")
    run = _Run(spec, opened.create(spec), opened, ruler, lambda _: None)
    with run.closing():
        (record,) = run_pack(trials, device=settings().device, folder=settings().data)
        run.add(record)
    if run.status == "interrupted":
        raise KeyboardInterrupt
    return record


class _Run:
    """A sweep while it runs: the only writer of its trials."""

    def __init__(
        self,
        spec: SweepSpec,
        info: SweepInfo,
        store: Tracker,
        ruler: Ruler,
        on_progress: OnProgress,
    ) -> None:
        self.spec = spec
        self.info = info
        self.store = store
        self.ruler = store.ruler(info.id) or ruler
        self.status: Status = "running"
        self.on_progress = on_progress
        self.driver = new_driver(spec)
        store.begin(info.id, self.ruler)
        self.records = store.records(info.id)
        for record in self.records:
            self.driver.tell(record.model_copy(update={"test": None}))
        self.hypervolume = hypervolume_so_far(self.records, self.ruler.reference)
        self._written = time.monotonic()
        self._report()

    def add(self, record: TrialRecord) -> None:
        """Write a trial that ended, and now and then the front."""
        records = [*self.records, record.model_copy(update={"history": {}})]
        reached = hypervolume_so_far(records, self.ruler.reference)
        self.store.add(self.info.id, record, hypervolume=reached)
        self.records, self.hypervolume = records, reached
        if time.monotonic() - self._written > FRONT_EVERY:
            self.store.update(self.info.id, self.front("running"))
            self._written = time.monotonic()
        self._report()

    def front(self, status: Status) -> Front:
        """The front of all trials so far."""
        info = self.info.model_copy(update={"status": status})
        return front_of(info, self.records, self.ruler)

    @contextmanager
    def closing(self) -> Iterator[None]:
        """However the sweep ends, its store says so and holds its front and pictures."""
        self.status = "failed"
        try:
            yield
            self.status = self._outcome()
        except KeyboardInterrupt:
            # It may come after the last trial: then it has interrupted nothing.
            whole = len(self.records) >= self.spec.trials
            self.status = self._outcome() if whole else "interrupted"
        finally:
            # Closing takes a moment; a further Ctrl-C must not cost the front.
            with interrupts_held():
                self._close()

    def _outcome(self) -> Status:
        finished = any(record.status == "finished" for record in self.records)
        return "finished" if finished else "failed"

    def _close(self) -> None:
        front = self.front(self.status)
        pictures = []
        try:
            if any(point.rate_bits is not None for point in front.points):
                from paretoib.fronts import front_html, front_png

                pictures = [
                    Picture("front.html", front_html(front).encode()),
                    Picture("front.png", front_png(front)),
                ]
        finally:
            self.store.close(self.info.id, self.status, front, pictures)

    def _report(self) -> None:
        finished = sum(record.status == "finished" for record in self.records)
        self.on_progress(
            Progress(
                self.info,
                self.spec.trials,
                finished,
                len(self.records) - finished,
                self.hypervolume,
            )
        )


def _prepare(
    spec: SweepSpec, store: Callable[[], Tracker]
) -> tuple[Tracker, tuple[int, ...], Ruler]:
    """The store, the shape of an input, and the ruler, from the data themselves."""
    new_driver(spec)  # which may refuse it
    opened = store()
    from paretoib.data._load import load_dataset

    dataset = load_dataset(spec.data.name, spec.data.params)
    ceiling = dataset.entropies(dataset.test)[1] / math.log(2)
    rate, lost = spec.reference or (10 * ceiling, ceiling)
    return opened, dataset.shape, Ruler(Reference(rate_bits=rate, lost_bits=lost), ceiling)


def _check_device(spec: SweepSpec, device: str) -> None:
    """Refuse before the first trial what no worker could train on."""
    import torch

    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise ParetoIBError(
            f"PARETOIB_DEVICE should be a torch device; found `{device}`: {reason}"
        ) from error
    if spec.training.precision == "bf16" and kind != "cuda":
        raise SpecError(f"training.precision: bf16 needs a CUDA device; found {device}")


def _in_background(function: Callable[[], T]) -> Future[T]:
    """Call a function in a thread that does not keep the program from ending."""
    future: Future[T] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=call, daemon=True).start()
    return future


def main() -> int:
    """Run the sweep whose id is the only argument; the exit code, as `paretoib sweep` has it."""
    if len(sys.argv) != 2:
        print("usage: python -m jobs.sweep SWEEP_ID", file=sys.stderr)
        return 2
    try:
        store = tracker()
        info = store.find(sys.argv[1])
        spec = SweepSpec.from_document(info.spec)
        front = run_sweep(spec, store=lambda: store, sweep_id=info.id)
    except ParetoIBError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return {"finished": 0, "interrupted": 130}.get(front.sweep.status, 1)


if __name__ == "__main__":
    sys.exit(main())
