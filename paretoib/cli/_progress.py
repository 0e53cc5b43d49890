"""The progress bar of a running sweep, on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jobs.sweep import OnProgress
from jobs.sweep import Progress as SweepProgress
from paretoib.specs import SweepSpec


@contextmanager
def progress_bar(spec: SweepSpec) -> Iterator[OnProgress]:
    """What to call with each progress of the sweep; the bar goes when it ends."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed · hypervolume {task.fields[hypervolume]:.2f} ·"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=spec.trials, failed=0, hypervolume=0.0)

        def show(now: SweepProgress) -> None:
            progress.update(
                task,
                description=f"{now.sweep.name} ({now.sweep.id[:8]})",
                completed=now.finished + now.failed,
                failed=now.failed,
                hypervolume=now.hypervolume,
            )

        yield show
