"""The progress bar of a running sweep, on stderr."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from paretoib.records import SweepState

_LONGEST_NAME = 18


@contextmanager
def progress_bar() -> Iterator["Bar"]:
    """Show a progress bar, which disappears when the block ends."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[text]}"),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield Bar(progress)


class Bar:
    """The progress bar of one sweep; `state` is the state that it shows."""

    def __init__(self, progress: Progress) -> None:
        self.state: SweepState | None = None
        self._progress = progress
        # Without a total, the bar pulses while Ray starts.
        self._task = progress.add_task("starting", total=None, text="")
        self._remaining = Remaining()

    def show(self, state: "SweepState") -> None:
        """Show a new state of the sweep."""
        self.state = state
        trials, name = state.trials, state.name
        stopped = f"{trials.stopped} stopped · " if trials.stopped else ""
        hypervolume = state.hypervolume or 0.0
        self._progress.update(
            self._task,
            description=name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…",
            total=trials.total,
            completed=trials.ended,
            text=f"{trials.ended}/{trials.total} · {stopped}{trials.failed} failed · "
            f"hypervolume {hypervolume:.2f}{self._remaining.after(trials.ended, trials.total)}",
        )


class Remaining:
    """Estimates the remaining time from the mean time per trial since the first call.

    The mean of the last trials alone varies too much, because the trials of a pack end together.
    """

    def __init__(self) -> None:
        self._first_call: tuple[float, int] | None = None

    def after(self, ended: int, trials: int) -> str:
        """The estimate as text, when `ended` of `trials` trials have ended.

        Trials that ended before the first call (in a resumed sweep) do not count. The text is empty
        until a trial has ended after the first call.
        """
        if self._first_call is None:
            self._first_call = time.monotonic(), ended
        started, ended_before = self._first_call
        if ended == ended_before:
            return ""
        mean = (time.monotonic() - started) / (ended - ended_before)
        seconds = mean * max(0, trials - ended)
        minutes, seconds = divmod(round(seconds), 60)
        return f" · {minutes}:{seconds:02d} left"
