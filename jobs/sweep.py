"""The job that runs one sweep: what `paretoib sweep` calls, and `python -m jobs.sweep ID`."""

import math
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TypeVar

from jobs.sweep_run import OnProgress, Run
from paretoib.errors import ParetoIBError, SpecError
from paretoib.interrupts import interrupts_held
from paretoib.records import Front, Progress, Reference, TrialRecord
from paretoib.search import driver as new_driver
from paretoib.settings import settings
from paretoib.specs import SweepSpec, TrialSpec
from paretoib.tracking import Ruler, Tracker, tracker

__all__ = ["OnProgress", "Progress", "resume_sweep", "run_sweep", "train"]

T = TypeVar("T")


def run_sweep(
    spec: SweepSpec,
    *,
    store: Callable[[], Tracker] = tracker,
    sweep_id: str | None = None,
    on_progress: OnProgress = lambda _: None,
) -> Front:
    """Run a sweep to its end and return its front; `front.sweep.status` says how it ended.

    `sweep_id` names a sweep that the store has already; the trials that it has are not run again.
    An interrupt (Ctrl-C, SIGTERM) ends the sweep as `interrupted`, with everything that had
    finished kept; before the sweep has been written it is raised as the `KeyboardInterrupt` that it
    is. Raises `DataError`, `StoreError`, `SpecError`, `ClusterError`, each before a sweep is made,
    and `ClusterError` too where no worker can begin a pack.
    """
    from jobs.cluster import load_ray, ray_instance

    # Two imports at once take turns; so Ray's comes first, and its processes start while this one
    # loads torch, the data and the store.
    load_ray(settings())
    preparing = _in_background(lambda: _prepare(spec, store))
    with ray_instance(settings(), spec.resources) as workers:
        from jobs.tune import run_packs

        opened, shape, ruler = preparing.result()
        from paretoib.training import plan_packs, saved_packs

        def plan(trials: Sequence[TrialSpec]) -> list[list[TrialSpec]]:
            return plan_packs(
                trials,
                shape,
                workers=workers.count,
                device=workers.device,
                share=workers.gpus or 1.0,
            )

        def work(run: Run, checkpoints: Path) -> None:
            known = {record.trial for record in run.records}
            run_packs(
                spec,
                run.driver,
                plan,
                run.add,
                workers,
                ended=run.ended,
                saved=[pack for pack in saved_packs(checkpoints) if known.isdisjoint(pack)],
                folder=settings().data,
                checkpoints=checkpoints,
            )

        run = _swept(spec, opened, ruler, workers.device, work, sweep_id, on_progress)
    return run.front(run.status)


def resume_sweep(
    reference: str,
    *,
    store: Callable[[], Tracker] = tracker,
    on_progress: OnProgress = lambda _: None,
) -> Front:
    """Go on with a sweep of the store: the trials that it has are not run again.

    Raises `NotFoundError`, `StoreError` while another job runs the sweep, and what `run_sweep`
    raises.
    """
    opened = store()
    info = opened.find(reference)
    spec = SweepSpec.from_document(info.spec)
    return run_sweep(spec, store=lambda: opened, sweep_id=info.id, on_progress=on_progress)


def train(spec: SweepSpec, *, store: Callable[[], Tracker] = tracker) -> TrialRecord:
    """Train the one trial of a sweep in this process, without Ray; its record, with history.

    Raises what `run_sweep` raises, and `SpecError` for a sweep of several trials.
    """
    if spec.trials != 1:
        raise SpecError(f"a training run should have 1 trial; found {spec.trials}")
    opened, _, ruler = _prepare(spec, store)
    import torch

    from jobs.worker import run_pack
    from paretoib.training import run_trials

    device = settings().device or ("cuda" if torch.cuda.is_available() else "cpu")
    ended: list[TrialRecord] = []

    def work(run: Run, checkpoints: Path) -> None:
        alone = partial(
            run_trials,
            device=device,
            folder=settings().data,
            checkpoints=checkpoints,
            limit_seconds=spec.trial_seconds,
        )
        ended.extend(run_pack(run.driver.ask(1), alone))
        run.add(ended)

    if _swept(spec, opened, ruler, device, work).status == "interrupted":
        raise KeyboardInterrupt
    return ended[0]


def _swept(
    spec: SweepSpec,
    store: Tracker,
    ruler: Ruler,
    device: str,
    work: Callable[[Run, Path], None],
    sweep_id: str | None = None,
    on_progress: OnProgress = lambda _: None,
) -> Run:
    """Do the work of a sweep, a new one or one that the store has, which is then closed.

    Refuses before it is made what cannot be trained on the device; from its first line in the store
    on it is closed however it ends.
    """
    _check_device(spec, device)
    with interrupts_held() as caught:
        info = store.find(sweep_id) if sweep_id else store.create(spec)
        held = store.ruler(info.id) or ruler
        run = Run(spec, info, store, held, new_driver(spec), on_progress)
        run.begin()
    with run.closing():
        if caught:
            raise KeyboardInterrupt
        with _checkpoints(run) as checkpoints:
            work(run, checkpoints)
    return run


@contextmanager
def _checkpoints(run: Run) -> Iterator[Path]:
    """The folder for the states of a sweep's packs; kept for a resume where not all have ended."""
    folder = (settings().checkpoints or settings().store / "checkpoints") / run.info.id
    yield folder
    if not run.cancelled:
        # PackSearcher remove their own; one whose worker was lost and that was then split cannot.
        shutil.rmtree(folder, ignore_errors=True)


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
        front = resume_sweep(sys.argv[1])
    except ParetoIBError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return {"finished": 0, "interrupted": 130}.get(front.sweep.status, 1)


if __name__ == "__main__":
    sys.exit(main())
