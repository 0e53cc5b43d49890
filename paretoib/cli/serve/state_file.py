"""The state file of `paretoib serve`, and functions that find and end its processes.

`paretoib serve` holds a lock on its state file while it runs. If the lock is free, the process that
wrote the file has ended, but processes that it started may still run. A process belongs to a state
if its environment has the id of the state, or if it is in the session of such a process. The second
rule is needed because some Ray processes set a process title, which overwrites their environment in
/proc.
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
from paretoib.processes import socket_folder

_ID_VARIABLE = "PARETOIB_SERVE"
_PROC = Path("/proc")
_JOB = b"\0jobs.sweep\0"  # in the command line of a sweep's job, but not of the job's shell
# The roles in the order in which their processes get SIGTERM, and the longest wait, in seconds, for
# each role to end. A job needs Ray and MLflow until it ends, because it writes the front of its
# sweep.
_TERMINATION_SECONDS = {"service": 10.0, "job": 30.0, "ray": 20.0, "mlflow": 10.0}


@dataclass(frozen=True)
class ServeState:
    """The content of the state file; `addresses` is empty until all servers answer.

    `scratch` is Ray's temp directory; it is deleted when the processes have ended.
    """

    id: str
    pid: int
    scratch: str
    addresses: dict[str, str] = field(default_factory=dict)

    @classmethod
    def new(cls) -> "ServeState":
        """A state for this process, with a new id and a new temp directory.

        Ray creates its sockets in the temp directory, and the path of a socket must be short.
        """
        scratch = tempfile.mkdtemp(prefix="paretoib-", dir=socket_folder())
        return cls(secrets.token_hex(8), os.getpid(), scratch)

    def environment(self, role: str) -> dict[str, str]:
        """The environment variable by which `ProcessTree` finds a process of this role."""
        return {_ID_VARIABLE: f"{self.id}.{role}"}


class StateFile:
    """The state file, while this process holds its lock."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, state: ServeState | None) -> None:
        """Write the state; None means that nothing runs."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps(asdict(state)) if state else "")
        self._file.flush()

    def clear(self) -> None:
        """End the processes of the stored state, delete Ray's temp directory, empty the file."""
        if state := _read(self._file):
            end(state)
            shutil.rmtree(state.scratch, ignore_errors=True)
            self.write(None)


@contextmanager
def locked_state_file(path: Path) -> Iterator[StateFile | ServeState]:
    """The locked state file; or, if another process holds the lock, the state of that process.

    Waits while the other process is still starting. Raises `ParetoIBError` if the file cannot be
    opened.
    """
    if not (_PROC / "self/environ").exists():
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


def _read(file: IO[str]) -> ServeState | None:
    file.seek(0)
    with suppress(ValueError, TypeError):  # The file is empty or half written.
        return ServeState(**json.loads(file.read()))
    return None


def end(state: ServeState) -> None:
    """End all processes of a state: SIGTERM to one role after another, then SIGKILL to the rest.

    Raises `ParetoIBError` if processes remain.
    """
    tree = ProcessTree(state)
    for role, seconds in _TERMINATION_SECONDS.items():
        for process in tree.sigterm_targets(role):
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while tree.sigterm_targets(role) and time.monotonic() < deadline:
            time.sleep(0.1)
    deadline = time.monotonic() + 10
    while remaining := tree.alive():
        if time.monotonic() > deadline:
            pids = ", ".join(str(process.pid) for process in remaining)
            raise ParetoIBError(f"cannot end processes {pids}")
        for process in remaining:
            _signal(process, signal.SIGKILL)
        time.sleep(0.1)


@dataclass(frozen=True)
class Process:
    """A process in `/proc`; `role` is None if the state's id is not in its environment."""

    pid: int
    session: int
    role: str | None


class ProcessTree:
    """The processes with a state's id in their environment, and all processes in their sessions."""

    def __init__(self, state: ServeState) -> None:
        ((variable, value),) = state.environment("").items()
        self._prefix = f"{variable}={value}".encode()
        # Sessions are kept, because a process with the id may end before others in its session.
        self._sessions: set[int] = set()

    def alive(self) -> list[Process]:
        """The processes that run now."""
        processes = [process for entry in _PROC.glob("[0-9]*") if (process := self._process(entry))]
        self._sessions |= {process.session for process in processes if process.role}
        return [process for process in processes if process.session in self._sessions]

    def sigterm_targets(self, role: str) -> list[Process]:
        """The processes of a role that should get SIGTERM; they end their own children.

        For the role `job`, these are all jobs; for any other role, its session leaders.
        """
        processes = [process for process in self.alive() if process.role == role]
        return [p for p in processes if role == "job" or p.pid == p.session]

    def _process(self, entry: Path) -> Process | None:
        try:
            state, _, _, session, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            environment = (entry / "environ").read_bytes().split(b"\0")
            command = (entry / "cmdline").read_bytes()
        except OSError:  # The process has ended, or belongs to another user.
            return None
        if state in "ZX":
            return None
        variables = [line for line in environment if line.startswith(self._prefix)]
        role = variables[0].removeprefix(self._prefix).decode() if variables else None
        return Process(int(entry.name), int(session), "job" if role and _JOB in command else role)


def _signal(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)
