"""The processes of one `paretoib serve`: how they are tagged, found and ended.

Each process is started in a new session, with the id of the run and its role in an environment
variable. Child processes inherit the variable. Some processes of Ray overwrite their environment
with their title, so a process also belongs to the run if another process of its session has the
variable.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from paretoib.errors import ParetoIBError

_PROC = Path("/proc")
_TAG = "PARETOIB_SERVE"  # environment variable: ID.ROLE
_JOB = b"\0jobs.sweep\0"  # in the command line of a sweep's job, but not in that of its shell
# The order in which processes are ended, and the seconds that each role has. The job of a sweep
# needs Ray and MLflow to write its front.
_SHUTDOWN_SECONDS = {"service": 10.0, "job": 30.0, "ray": 20.0, "mlflow": 10.0}
_KILL_SECONDS = 10.0


@dataclass(frozen=True)
class Process:
    """A process; `role` is None if its environment has no tag."""

    pid: int
    session: int
    role: str | None


class ProcessTree:
    """The processes of the run with this id."""

    def __init__(self, run_id: str) -> None:
        self._id = run_id
        # Remembered, because the tagged process of a session may end before the others.
        self._sessions: set[int] = set()

    def tag(self, role: str) -> dict[str, str]:
        """The environment variable that makes a process part of this tree."""
        return {_TAG: f"{self._id}.{role}"}

    def alive(self) -> list[Process]:
        """All running processes of the tree."""
        processes = [process for entry in _PROC.glob("[0-9]*") if (process := self._read(entry))]
        self._sessions |= {process.session for process in processes if process.role}
        return [process for process in processes if process.session in self._sessions]

    def leaders(self, role: str) -> list[Process]:
        """The processes of a role that get SIGTERM; they end their own child processes."""
        processes = [process for process in self.alive() if process.role == role]
        return [p for p in processes if role == "job" or p.pid == p.session]

    def end(self) -> None:
        """End all processes, role by role; kill those that do not end in time.

        Raises `ParetoIBError` if a process survives SIGKILL.
        """
        for role, seconds in _SHUTDOWN_SECONDS.items():
            for process in self.leaders(role):
                _signal(process, signal.SIGTERM)
            deadline = time.monotonic() + seconds
            while self.leaders(role) and time.monotonic() < deadline:
                time.sleep(0.1)
        deadline = time.monotonic() + _KILL_SECONDS
        while processes := self.alive():
            if time.monotonic() > deadline:
                pids = ", ".join(str(process.pid) for process in processes)
                raise ParetoIBError(f"cannot end processes {pids}")
            for process in processes:
                _signal(process, signal.SIGKILL)
            time.sleep(0.1)

    def _read(self, entry: Path) -> Process | None:
        """A process from its folder in /proc; None if it has ended or belongs to another user."""
        try:
            status, _, _, session, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            environment = (entry / "environ").read_bytes().split(b"\0")
            command = (entry / "cmdline").read_bytes()
        except OSError:
            return None
        if status in "ZX":
            return None
        tag = f"{_TAG}={self._id}.".encode()
        roles = [line.removeprefix(tag).decode() for line in environment if line.startswith(tag)]
        role = roles[0] if roles else None
        return Process(int(entry.name), int(session), "job" if role and _JOB in command else role)


def _signal(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)
