"""The progress bar of a running sweep, on stderr."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from paretoib.records import Progress as SweepProgress

_LONGEST_NAME = 18


@contextmanager
def progress_bar() -> Iterator["Bar"]:
    """Whose `show` is to be called with each progress of the sweep; the bar goes when it ends."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[now]}"),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield Bar(progress)


class Bar:
    """The bar of one sweep; `now` is how that stood when it was last shown."""

    def __init__(self, progress: Progress) -> None:
        self.now: SweepProgress | None = None
        self._progress = progress
        # Without a total the bar only moves, as it should while Ray starts.
        self._task = progress.add_task("starting", total=None, now="")
        self._remaining = Remaining()

    def show(self, now: "SweepProgress") -> None:
        """Move on."""
        self.now = now
        ended = now.over
        stopped = f"{now.stopped} stopped · " if now.stopped else ""
        name = now.sweep.name
        self._progress.update(
            self._task,
            description=name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…",
            total=now.trials,
            completed=ended,
            now=f"{ended}/{now.trials} · {stopped}{now.failed} failed · "
            f"hypervolume {now.hypervolume:.2f}{self._remaining.after(ended, now.trials)}",
        )


class Remaining:
    """The time that is left, by the pace so far; nothing before a first trial has ended."""

    def __init__(self) -> None:
        # Over the whole run, as trials end in packs, many at a time.
        self._first: tuple[float, int] | None = None

    def after(self, ended: int, trials: int) -> str:
        """The estimate with `ended` of `trials`, those of a sweep taken up again among them."""
        if self._first is None:
            self._first = time.monotonic(), ended
        since, before = self._first
        if ended == before:
            return ""
        seconds = (time.monotonic() - since) / (ended - before) * max(0, trials - ended)
        minutes, seconds = divmod(round(seconds), 60)
        return f" · {minutes}:{seconds:02d} left"
