"""The progress of a running sweep on stderr: a bar on a terminal, otherwise lines."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, ProgressColumn, Task
from rich.progress_bar import ProgressBar
from rich.table import Column
from rich.text import Text

from paretoib.cli import _render
from paretoib.progress import ProgressText, progress_lines

_SHORTEST_NAME, _LONGEST_NAME = 6, 18
_BAR_WIDTH = 10


@contextmanager
def progress(name: str, starting: str) -> Iterator[ProgressText]:
    """Until the block ends, show the state that was last passed to `ProgressText.show`.

    Before the first state, the text is `starting`, for example "loading the data". The bar of a
    terminal disappears when the block ends.
    """
    text = ProgressText(name, starting)
    console = Console(stderr=True)
    if not console.is_terminal:
        with progress_lines(text, _render.message):
            yield text
        return
    with Progress(
        _Name(text, console.width), _Bar(text), _Text(text), console=console, transient=True
    ) as bar:
        bar.add_task("")
        yield text


class _Column(ProgressColumn):
    """A column that is redrawn from the text at every refresh.

    So its times advance even while no new state arrives.
    """

    def __init__(self, text: ProgressText) -> None:
        super().__init__(Column(no_wrap=True))
        self._text = text


class _Name(_Column):
    """The name of the sweep, cut so that the other columns fit into the terminal."""

    def __init__(self, text: ProgressText, terminal: int) -> None:
        super().__init__(text)
        self._terminal = terminal

    def render(self, task: Task) -> Text:  # noqa: ARG002
        name = self._text.name
        room = self._terminal - len(self._text.text) - _BAR_WIDTH - 2  # two spaces
        longest = min(_LONGEST_NAME, max(_SHORTEST_NAME, room))
        return Text(name if len(name) <= longest else f"{name[: longest - 1]}…")


class _Bar(_Column):
    def render(self, task: Task) -> ProgressBar:
        state = self._text.state
        if state is None or not state.progress:
            # Without a total, the bar pulses while Ray and the workers start.
            return ProgressBar(None, width=_BAR_WIDTH, pulse=True, animation_time=task.get_time())
        return ProgressBar(state.trials.total, state.progress, width=_BAR_WIDTH)


class _Text(_Column):
    def render(self, task: Task) -> Text:  # noqa: ARG002
        return Text(self._text.text)
