"""Run a sweep: `paretoib sweep` calls `run_sweep`, a Ray job runs `python -m jobs.sweep ID`."""

import math
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TypeVar

from jobs.local_parts import check_local_parts
from jobs.log import log_to_file, log_to_stderr
from jobs.models import KeptModels, ModelCollector
from jobs.progress import ProgressFiles
from jobs.sweep_run import SweepRun, described
from paretoib.errors import NotFoundError, ParetoIBError, SpecError, StoreError
from paretoib.interrupts import deferred_interrupts, raise_deferred
from paretoib.records import (
    Front,
    OnProgress,
    PackProgress,
    ReferencePoint,
    RunningPacks,
    TrialRecord,
    Workers,
)
from paretoib.search import driver as new_driver
from paretoib.settings import settings
from paretoib.specs import SweepSpec, TrialSpec
from paretoib.tracking import Ruler, Tracker, tracker

T = TypeVar("T")
LogPath = Callable[[str], Path]  # the file of a sweep's log, by the sweep's id


def run_sweep(
    spec: SweepSpec,
    *,
    store: Callable[[], Tracker] = tracker,
    sweep_id: str | None = None,
    extends: bool = False,
    on_progress: OnProgress = lambda _: None,
    log_path: LogPath | None = None,
) -> Front:
    """Run a sweep to its end and return its front; `front.sweep.status` is its final status.

    `sweep_id` is the id of a sweep that the store holds already; its ended trials are not run
    again. With `extends`, the spec extends the spec of this sweep, and replaces it once Ray has
    started. Ctrl-C ends the sweep as `cancelled`, SIGTERM as `interrupted`; ended trials are kept.
    Before the sweep is written, an interrupt is raised as `KeyboardInterrupt`. `log_path` gives the
    file of the sweep's log.

    Raises:
        ParetoIBError: before the sweep is written, for example `DataError` or `SpecError`.
        StoreError: also if the store refuses a write, or does not answer in time.
        ClusterError: also if no worker can start.
    """
    check_local_parts(spec)
    from jobs.cluster import load_ray, ray_instance

    # Ray is imported before the thread starts, because two threads that import at the same time
    # take turns. Ray's processes then start while the thread opens the store, imports torch and
    # loads the data.
    load_ray(settings())
    preparing = _in_background(lambda: _prepare(spec, store))
    with ray_instance(settings(), spec.resources) as workers:
        from jobs.tune import run_packs

        opened, input_shape, ruler = preparing.result()
        from paretoib.training import plan_packs, saved_packs

        def plan(trials: Sequence[TrialSpec]) -> list[list[TrialSpec]]:
            return plan_packs(
                trials,
                input_shape,
                workers=workers.count,
                device=workers.device,
                share=workers.gpus or 1.0,
            )

        def work(run: SweepRun, checkpoints: Path) -> None:
            ended = {record.trial for record in run.records}
            progress = ProgressFiles(checkpoints / "progress")
            progress.clear()
            run.read_packs = progress.read
            try:
                run_packs(
                    spec,
                    run.driver,
                    plan,
                    run.add,
                    workers,
                    should_stop=run.should_stop,
                    saved=[pack for pack in saved_packs(checkpoints) if ended.isdisjoint(pack)],
                    folder=settings().data,
                    checkpoints=checkpoints,
                    progress=progress,
                    model_limit=lambda: run.model_limit,
                    on_step=run.report_packs,
                )
            finally:
                progress.clear()

        _check_device(spec, workers.device)
        run = _run(spec, opened, ruler, work, sweep_id, extends, on_progress, workers, log_path)
    return run.front()


def resume_sweep(
    sweep: str,
    *,
    store: Callable[[], Tracker] = tracker,
    on_progress: OnProgress = lambda _: None,
    log_path: LogPath | None = None,
) -> Front:
    """Resume a sweep of the store; its ended trials are not run again.

    `sweep` is an id, a unique prefix of an id, or a name (the newest of several). If all trials
    have ended, the sweep is only closed, without Ray. Raises what `run_sweep` raises,
    `NotFoundError`, and `StoreError` while another process writes the sweep.
    """
    opened = store()
    state = opened.find(sweep)
    spec = SweepSpec.from_document(state.spec)
    ruler = opened.ruler(state.id)
    if ruler and state.trials.ended >= state.trials.total:
        closed = _run(
            spec, opened, ruler, _nothing, state.id, on_progress=on_progress, log_path=log_path
        )
        return closed.front()
    return run_sweep(
        spec,
        store=lambda: opened,
        sweep_id=state.id,
        on_progress=on_progress,
        log_path=log_path,
    )


def train(
    spec: SweepSpec,
    *,
    store: Callable[[], Tracker] = tracker,
    on_progress: OnProgress = lambda _: None,
    log_path: LogPath | None = None,
) -> TrialRecord:
    """Train the only trial of a sweep in this process, without Ray.

    Returns the trial's record with its history. Raises what `run_sweep` raises, `SpecError` for a
    sweep of several trials, and `KeyboardInterrupt` after an interrupt or a cancellation.
    """
    if spec.trials != 1:
        raise SpecError(f"a training run should have 1 trial; found {spec.trials}")
    opened, _, ruler = _prepare(spec, store)
    import torch

    from jobs.worker import run_pack
    from paretoib.training import run_trials

    device = settings().device or ("cuda" if torch.cuda.is_available() else "cpu")
    records: list[TrialRecord] = []

    def work(run: SweepRun, checkpoints: Path) -> None:
        packs: RunningPacks | None = None

        def on_epoch(progress: PackProgress) -> None:
            nonlocal packs
            packs = RunningPacks.of([progress])
            run.report_packs()

        run.read_packs = lambda: packs
        collector = ModelCollector(run.model_limit)
        train_here = partial(
            run_trials,
            device=device,
            folder=settings().data,
            checkpoints=checkpoints,
            limit_seconds=spec.trial_seconds,
            on_epoch=on_epoch,
            on_models=collector,
        )
        records.extend(run_pack(run.driver.ask(1), train_here))
        packs = None
        run.add(records, collector.models)

    _check_device(spec, device)
    run = _run(spec, opened, ruler, work, on_progress=on_progress, log_path=log_path)
    if run.status in ("cancelled", "interrupted"):
        raise KeyboardInterrupt
    return records[0]


def _run(
    spec: SweepSpec,
    store: Tracker,
    ruler: Ruler,
    work: Callable[[SweepRun, Path], None],
    sweep_id: str | None = None,
    extends: bool = False,
    on_progress: OnProgress = lambda _: None,
    workers: Workers | None = None,
    log_path: LogPath | None = None,
) -> SweepRun:
    """Call `work` for a new, stored or extended sweep; close the sweep however `work` ends."""
    log = ExitStack()
    with deferred_interrupts() as caught:
        if sweep_id is None:
            state = store.create(spec)
        elif extends:
            state = store.extend(sweep_id, spec)
        else:
            state = store.state(sweep_id)
        stored_ruler = store.ruler(state.id) or ruler
        kept = KeptModels(settings().models_mb)
        run = SweepRun(
            spec, state, store, stored_ruler, new_driver(spec), on_progress, workers, kept
        )
        run.begin()
        if log_path:
            log.enter_context(log_to_file(log_path(run.id)))
    with log, run.closing():
        raise_deferred(caught)
        with _checkpoint_folder(run) as checkpoints:
            work(run, checkpoints)
    return run


def _nothing(run: SweepRun, checkpoints: Path) -> None:
    """The work of a sweep whose trials have all ended."""


@contextmanager
def _checkpoint_folder(run: SweepRun) -> Iterator[Path]:
    """The folder for the checkpoints of a sweep's packs.

    It is deleted when the sweep ends, but kept after a cancellation or an error.
    """
    folder = settings().checkpoint_folder(run.id)
    yield folder
    if not run.cancelled:
        # A pack deletes its checkpoint when its training ends. The checkpoint of a pack that was
        # split instead is still there.
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(
    spec: SweepSpec, store: Callable[[], Tracker]
) -> tuple[Tracker, tuple[int, ...], Ruler]:
    """Open the store and load the data; returns the store, an input's shape and the ruler."""
    new_driver(spec)  # raises `SpecError` for a spec that the driver cannot run
    opened = store()
    from paretoib.data import load_dataset

    dataset = load_dataset(spec.data.name, spec.data.params)
    ceiling = dataset.entropies(dataset.test)[1] / math.log(2)
    rate, lost = spec.reference or (10 * ceiling, ceiling)
    return opened, dataset.shape, Ruler(ReferencePoint(rate_bits=rate, lost_bits=lost), ceiling)


def _check_device(spec: SweepSpec, device: str) -> None:
    """Raise an error for a device that does not exist or cannot train the spec."""
    import torch

    from paretoib.training import check_precision

    try:
        torch.device(device)
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise ParetoIBError(
            f"PARETOIB_DEVICE should be a torch device; found `{device}`: {reason}"
        ) from error
    check_precision(spec.training, device)


def _in_background(function: Callable[[], T]) -> Future[T]:
    """Call a function in a daemon thread, which does not keep the program from ending."""
    future: Future[T] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=call, daemon=True).start()
    return future


def main() -> int:
    """Run the sweep whose id is the only argument; the exit codes are those of `paretoib sweep`.

    An error before the sweep begins is stored as the sweep's reason, so that every reader sees it,
    unless the error is a `StoreError`.
    """
    if len(sys.argv) != 2:
        print("usage: python -m jobs.sweep SWEEP_ID", file=sys.stderr)
        return 2
    sweep_id = sys.argv[1]
    try:
        with log_to_stderr():
            front = resume_sweep(sweep_id)
    except ParetoIBError as error:
        print(f"error: {error}", file=sys.stderr)
        _close_as_failed(sweep_id, error)
        return 2
    except Exception as error:
        _close_as_failed(sweep_id, error)
        raise
    except KeyboardInterrupt:
        return 130
    return {"finished": 0, "cancelled": 130, "interrupted": 130}.get(front.sweep.status, 1)


def _close_as_failed(sweep_id: str, error: Exception) -> None:
    """Close a sweep that could not begin; `SweepRun` has closed a sweep that has begun."""
    # These errors mean that the sweep does not exist, that the store cannot be written, or that the
    # sweep has another writer.
    if isinstance(error, NotFoundError | StoreError):
        return
    try:
        store = tracker()
        if not store.state(sweep_id).begun:
            store.close(sweep_id, "failed", None, (), described(error))
    except ParetoIBError as store_error:
        print(f"error: the reason could not be stored: {store_error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
