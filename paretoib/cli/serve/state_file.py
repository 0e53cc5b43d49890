"""What `paretoib serve` has started on this machine: its state file, and its processes.

The state file is locked for as long as its writer lives. A lock that can be had therefore tells
that the writer is gone, however it ended; what it started may still be there. Those processes, and
all that they have made, have the state's id in their environment, or are in one session with one
that has: some of Ray's write their title over their environment.
"""

import fcntl
import json
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from paretoib.errors import ParetoIBError

MARK = "PARETOIB_SERVE"
_PROC = Path("/proc")
_JOB = b"\0jobs.sweep\0"  # in the command line of a sweep's job, though not of its shell's
# In which order they are asked to end, and seconds that each is given: a sweep writes its front,
# for which it needs Ray and MLflow.
_PATIENCE = {"service": 10.0, "job": 30.0, "ray": 20.0, "mlflow": 10.0}


@dataclass(frozen=True)
class State:
    """What the file holds: the writer's process, and where things answer, once all of them do.

    `scratch` is a folder that goes when the processes have ended.
    """

    id: str
    pid: int
    scratch: str
    addresses: dict[str, str] = field(default_factory=dict)

    @classmethod
    def new(cls) -> "State":
        """One for this process. Ray has its sockets in `scratch`; a socket's path must be short."""
        return cls(secrets.token_hex(8), os.getpid(), tempfile.mkdtemp(prefix="paretoib-"))

    def mark(self, role: str) -> str:
        """What a process of this role has in its environment, as `MARK`."""
        return f"{self.id}.{role}"


class Claim:
    """A state file that is ours to write."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, state: State | None) -> None:
        """Put down how things stand; None: nothing runs."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps(asdict(state)) if state else "")
        self._file.flush()

    def clear(self) -> None:
        """End all that the file tells of, whoever wrote it."""
        if state := _read(self._file):
            end(state)
            shutil.rmtree(state.scratch, ignore_errors=True)
            self.write(None)


@contextmanager
def claimed(path: Path) -> Iterator[Claim | State]:
    """The state file for us to write or, where another process has it, the state that it shows.

    Waits while that other is still starting. Raises `ParetoIBError` for a file that cannot be had.
    """
    if not (_PROC / "self/environ").exists():
        raise ParetoIBError("`paretoib serve` should run on Linux; found no /proc")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except OSError as error:
        raise ParetoIBError(f"cannot write {path}: {error.strerror}") from error
    with file:
        while not _locked(file):
            if (state := _read(file)) and state.addresses:
                yield state
                return
            time.sleep(0.2)
        yield Claim(file)


def _locked(file: IO[str]) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _read(file: IO[str]) -> State | None:
    file.seek(0)
    with suppress(ValueError, TypeError):  # It is empty, or being written.
        return State(**json.loads(file.read()))
    return None


def end(state: State) -> None:
    """End all processes of a state; what does not go by itself in time is killed."""
    tree = ProcessTree(state)
    for role, seconds in _PATIENCE.items():
        for process in tree.heads(role):
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while tree.heads(role) and time.monotonic() < deadline:
            time.sleep(0.1)
    deadline = time.monotonic() + 10
    while left := tree.alive():
        if time.monotonic() > deadline:
            raise ParetoIBError(f"cannot end processes {', '.join(str(p.pid) for p in left)}")
        for process in left:
            _signal(process, signal.SIGKILL)
        time.sleep(0.1)


@dataclass(frozen=True)
class Process:
    pid: int
    session: int
    role: str | None


class ProcessTree:
    """The processes of a state: those that bear its id, and whoever is in a session with one."""

    def __init__(self, state: State) -> None:
        self._mark = f"{MARK}={state.mark('')}".encode()
        # Kept, as the one that bears the id may end before the others do.
        self._sessions: set[int] = set()

    def alive(self) -> list[Process]:
        """All of them."""
        found = [process for entry in _PROC.glob("[0-9]*") if (process := self._process(entry))]
        self._sessions |= {process.session for process in found if process.role}
        return [process for process in found if process.session in self._sessions]

    def heads(self, role: str) -> list[Process]:
        """Those of a role that are to be told to end; they tell their own."""
        found = [process for process in self.alive() if process.role == role]
        return [process for process in found if role == "job" or process.pid == process.session]

    def _process(self, entry: Path) -> Process | None:
        try:
            stage, _, _, session, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            environment = (entry / "environ").read_bytes().split(b"\0")
            command = (entry / "cmdline").read_bytes()
        except OSError:  # It has ended, or is another user's.
            return None
        if stage in "ZX":
            return None
        marks = [line for line in environment if line.startswith(self._mark)]
        role = marks[0].removeprefix(self._mark).decode() if marks else None
        return Process(int(entry.name), int(session), "job" if role and _JOB in command else role)


def _signal(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)
