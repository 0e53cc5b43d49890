"""The state file of `paretoib serve`: the addresses of a running one, under a lock.

The process that writes the file holds a lock on it until it ends. If the lock is free, the writer
has therefore ended, but the processes that it started may still run.
"""

import fcntl
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from paretoib.cli.serve.processes import ProcessTree
from paretoib.errors import ParetoIBError


@dataclass(frozen=True)
class State:
    """The content of the file.

    - `id`: the id of the run, with which its processes are tagged.
    - `pid`: the process that writes the file.
    - `scratch`: a temp directory for Ray's sockets, deleted at the end.
    - `addresses`: URLs by name; empty until all of them answer.
    """

    id: str
    pid: int
    scratch: str
    addresses: dict[str, str] = field(default_factory=dict)

    @classmethod
    def new(cls) -> "State":
        """The state of a run that this process starts."""
        # A short path, because the path of a socket must be short.
        return cls(secrets.token_hex(8), os.getpid(), tempfile.mkdtemp(prefix="paretoib-"))


class StateFile:
    """A state file that this process has locked."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, state: State | None) -> None:
        """Replace the content; None empties the file."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps(asdict(state)) if state else "")
        self._file.flush()

    def clear(self) -> None:
        """End the processes of the state in the file, delete its temp directory, empty the file.

        The state may be that of an earlier process, which was killed.
        """
        if state := _read(self._file):
            ProcessTree(state.id).end()
            shutil.rmtree(state.scratch, ignore_errors=True)
            self.write(None)


@contextmanager
def lock_state_file(path: Path) -> Iterator[StateFile | State]:
    """Lock the state file; if another process holds the lock, yield the state in the file instead.

    Waits while the other process is starting. Raises `ParetoIBError` if the file cannot be opened.
    """
    if not Path("/proc/self/environ").exists():
        raise ParetoIBError("`paretoib serve` should run on Linux; found no /proc")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except OSError as error:
        raise ParetoIBError(f"cannot write {path}: {error.strerror}") from error
    with file:
        while not _lock(file):
            if (state := _read(file)) and state.addresses:
                yield state
                return
            time.sleep(0.2)
        yield StateFile(file)


def _lock(file: IO[str]) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _read(file: IO[str]) -> State | None:
    file.seek(0)
    # The file may be empty, or another process may be writing it.
    with suppress(ValueError, TypeError):
        return State(**json.loads(file.read()))
    return None
