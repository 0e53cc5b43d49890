"""The progress of packs: workers write it to files, and the job of the sweep reads these files.

The files are beside the checkpoints, in a folder that the workers of all machines share. They cost
neither a process nor a message to Ray. If the folder is not shared, the job sees no progress within
packs; nothing else depends on the files.
"""

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from paretoib.errors import SpecError
from paretoib.records import PackProgress, RunningPacks

WRITE_SECONDS = 2.0  # minimum time between two writes of the progress of a pack


class ProgressWriter:
    """Writes the progress of one pack to a file, at most every `WRITE_SECONDS`."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._next = clock()

    def write(self, progress: PackProgress) -> None:
        """Write the progress, unless the last write is recent. An error never stops a training."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + WRITE_SECONDS
        unfinished = self._path.with_suffix(".part")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(progress.to_json())
            unfinished.replace(self._path)


class ProgressFiles:
    """The files of the packs in flight, in a folder of the sweep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[str, Path] = {}

    def add(self, pack: str) -> Path:
        """The file for a pack that is placed on a worker."""
        self._paths[pack] = (self._folder / f"{pack}.json").absolute()
        return self._paths[pack]

    def remove(self, pack: str) -> None:
        """Forget a pack that has ended."""
        if path := self._paths.pop(pack, None):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def read(self) -> RunningPacks | None:
        """A summary of the packs in flight; None while none has begun to train."""
        packs = []
        for path in self._paths.values():
            # A worker with another version of the program may have written the file.
            with suppress(OSError, SpecError):
                packs.append(PackProgress.from_json(path.read_text()))
        return RunningPacks.of(packs)

    def clear(self) -> None:
        """Delete the folder. A killed job may have left files there."""
        shutil.rmtree(self._folder, ignore_errors=True)
