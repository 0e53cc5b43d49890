"""The progress of a running sweep as text: trials, epochs, elapsed and remaining time.

`progress_lines` prints a line every ten seconds, for programs and for output without a terminal.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paretoib.records import SweepState

FIRST_SECONDS = 3.0  # from the start of a sweep to its first line
LINE_SECONDS = 10.0  # between two lines
_CHECK_SECONDS = 0.25  # between two checks whether a line is due


class ProgressText:
    """The text for the progress of one sweep; `state` is the last state of the sweep.

    `name` is the name of the sweep. Before the first state, the text is `starting`, for example
    "loading the data", with the elapsed time. The elapsed time counts from the creation of this
    object, in seconds of `clock`.
    """

    def __init__(
        self, name: str, starting: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.state: SweepState | None = None
        self._starting = starting
        self._clock = clock
        self._began = clock()
        self._estimate = _Estimate()

    def show(self, state: "SweepState") -> None:
        """Take over a new state of the sweep."""
        self.state = state
        self._estimate.update(state, self._clock())

    @property
    def text(self) -> str:
        """All fields, without the name."""
        now = self._clock()
        elapsed = f"{_duration(now - self._began)} elapsed"
        if self.state is None:
            return f"{self._starting} · {elapsed}"
        trials = self.state.trials
        left = self._estimate.left(now)
        fields = [
            f"{trials.ended}/{trials.total} trials",
            trials.stopped and f"{trials.stopped} stopped",
            trials.failed and f"{trials.failed} failed",
            _training(self.state),
            elapsed,
            left is not None and f"about {_duration(left)} left",
        ]
        return " · ".join(field for field in fields if field)

    @property
    def line(self) -> str:
        """All fields in one line, which starts with the name."""
        return f"{self.name}: {self.text}"


class ProgressLines:
    """Decides when a line is due: `FIRST_SECONDS` after the start, then every `LINE_SECONDS`."""

    def __init__(
        self,
        text: ProgressText,
        write: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._text = text
        self._write = write
        self._clock = clock
        self._next = clock() + FIRST_SECONDS

    def check(self) -> None:
        """Write a line if it is due and the sweep has not ended."""
        state = self._text.state
        if self._clock() < self._next or (state and state.status != "running"):
            return
        self._next = self._clock() + LINE_SECONDS
        self._write(self._text.line)


@contextmanager
def progress_lines(
    text: ProgressText, write: Callable[[str], None] | None = None
) -> Iterator[ProgressText]:
    """Write a line of progress every ten seconds while the block runs, by default on stderr."""
    lines = ProgressLines(text, write or _write_to_stderr)
    ended = threading.Event()

    def check_until_the_end() -> None:
        while not ended.wait(_CHECK_SECONDS):
            # The reader of stderr may be gone; the sweep goes on.
            with suppress(OSError, ValueError):
                lines.check()

    thread = threading.Thread(target=check_until_the_end, name="paretoib-progress", daemon=True)
    thread.start()
    try:
        yield text
    finally:
        ended.set()
        thread.join(timeout=1)


class _Estimate:
    """Estimates the remaining time from the mean speed since training was first seen.

    The speed counts ended trials and the epochs of the trials in training. Trials that had ended
    before (in a resumed sweep) do not count.
    """

    def __init__(self) -> None:
        self._start: tuple[float, float] | None = None
        self._training_seen = False
        self._last = 0.0
        self._end: float | None = None

    def update(self, state: "SweepState", now: float) -> None:
        """Estimate the end again if the state shows more progress than the last one."""
        progress = state.progress
        # Workers take seconds to start, so the first state with a pack starts the measurement.
        if self._start is None or (state.packs and not self._training_seen):
            self._start = (now, progress)
            self._last = progress
        self._training_seen = self._training_seen or state.packs is not None
        if progress == self._last:
            return
        self._last = progress
        began, before = self._start
        speed = (progress - before) / (now - began) if now > began else 0.0
        self._end = now + max(0.0, state.trials.total - progress) / speed if speed > 0 else None

    def left(self, now: float) -> float | None:
        """The remaining seconds; None if they are not known, or the estimate has passed."""
        return self._end - now if self._end is not None and self._end > now else None


def _training(state: "SweepState") -> str:
    """The present work of the workers as text; empty if nothing is known about it."""
    if state.packs:
        return f"epoch {state.packs.epoch}/{state.packs.epochs}"
    if state.status != "running" or state.trials.ended:
        return ""
    queued = state.submitted is not None and not state.begun
    return "waiting for the cluster" if queued else "starting workers"


def _duration(seconds: float) -> str:
    """A duration as minutes and seconds, with hours if there are any: `0:40`, `1:02:03`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _write_to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
