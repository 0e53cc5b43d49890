"""Tags of a sweep's MLflow run: the writer, the writer's heartbeat, and the request to cancel.

A writer counts as dead when its heartbeat is stale, or when it ran on this machine and its process
has ended. The lock of a journal (`_journal.file`) also keeps a second writer on this machine out.
"""

import json
import math
import os
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from paretoib.tracking._tracker import HEARTBEAT_SECONDS, Tags

_WRITER = "mlflow.paretoib.writer"
_CANCEL = "mlflow.paretoib.cancel"
_SUBMITTED = "mlflow.paretoib.submitted"
STALE_SECONDS = 4 * HEARTBEAT_SECONDS  # an older heartbeat is stale

CANCEL_REQUESTED = {_CANCEL: "true"}
CANCEL_NOT_REQUESTED = {_CANCEL: ""}


def heartbeat_tag() -> dict[str, str]:
    """The tag for a heartbeat at this moment, with this process as the sweep's writer."""
    writer = {
        "host": socket.gethostname(),
        "machine": machine_id(),
        "process": os.getpid(),
        "started": _start_time(os.getpid()),
        "alive": round(time.time()),
    }
    return {_WRITER: json.dumps(writer)}


def last_heartbeat(tags: Tags) -> float | None:
    """The time of the last heartbeat (seconds since the epoch); None if there is none."""
    writer = _writer(tags)
    return float(writer["alive"]) if writer else None


def submitted_tag() -> dict[str, str]:
    """The tag for a sweep that is submitted to a cluster at this moment."""
    return {_SUBMITTED: datetime.now(UTC).isoformat()}


def submitted_at(tags: Tags) -> datetime | None:
    """When the sweep was last submitted to a cluster; None if it never was."""
    return datetime.fromisoformat(tags[_SUBMITTED]) if tags.get(_SUBMITTED) else None


def is_stale(heartbeat: float | None, seconds: float | None = None) -> bool:
    """Whether a heartbeat (seconds since the epoch) is older than `seconds`; False for None.

    `seconds` is `STALE_SECONDS` by default. A heartbeat that is as far in the future is stale too.
    """
    limit = STALE_SECONDS if seconds is None else seconds
    return heartbeat is not None and abs(time.time() - heartbeat) > limit


class ObservedHeartbeats:
    """When heartbeats changed, by the clock of this process: clocks of two machines may differ."""

    def __init__(self) -> None:
        # For each sweep: the last heartbeat, when it was read, and when an earlier heartbeat was
        # last read.
        self._seen: dict[str, tuple[float, float, float]] = {}

    def changed_recently(self, sweep_id: str, heartbeat: float | None) -> bool:
        """Whether an earlier heartbeat of the sweep was read less than `STALE_SECONDS` ago."""
        if heartbeat is None:
            return False
        now = time.monotonic()
        before, read, changed = self._seen.get(sweep_id, (heartbeat, now, -math.inf))
        if heartbeat != before:
            changed = read
        self._seen[sweep_id] = (heartbeat, now, changed)
        return now - changed < STALE_SECONDS


def other_writer(tags: Tags) -> str | None:
    """A description of the other process that writes the sweep; None if there is none."""
    writer = _writer(tags)
    if not writer or is_stale(writer["alive"]):
        return None
    if _is_here(writer) and not _runs_here(writer):
        return None
    age = abs(time.time() - writer["alive"])
    return f"process {writer['process']} on {writer['host']}, last heartbeat {age:.0f} s ago"


def may_have_other_clock(tags: Tags) -> bool:
    """Whether the heartbeat is stale, and the writer ran on another machine.

    If the two clocks differ, such a writer may still run.
    """
    writer = _writer(tags)
    return bool(writer) and not _is_here(writer) and is_stale(writer["alive"])


def described_writer(tags: Tags) -> str:
    """The process that sent the last heartbeat."""
    writer = _writer(tags)
    return f"process {writer['process']} on {writer['host']}"


def successor(tags: Tags) -> str | None:
    """A description of the process that took over the sweep from this process; None if none did.

    That process may have ended since.
    """
    writer = _writer(tags)
    if not writer or (_is_here(writer) and writer["process"] == os.getpid()):
        return None
    return described_writer(tags)


def is_cancel_requested(tags: Tags) -> bool:
    """Whether a cancellation was requested since the sweep last began or was submitted."""
    return bool(tags.get(_CANCEL))


def _is_here(writer: Mapping[str, Any]) -> bool:
    """Whether the writer ran on this machine and in this container.

    Host names are compared if the machine id of one side is unknown.
    """
    if writer.get("machine") and (here := machine_id()):
        return bool(writer["machine"] == here)
    return bool(writer["host"] == socket.gethostname())


@cache
def machine_id() -> str | None:
    """An id of this machine, which changes when it restarts, and of this container.

    It is not the host name, because containers and cloned machines may share one. None if the
    system has no `/proc`.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def _runs_here(writer: dict[str, Any]) -> bool:
    """Whether a writer on this machine still runs and is not this process."""
    process, started = writer["process"], writer.get("started")
    return process != os.getpid() and started is not None and started == _start_time(process)


def _start_time(process: int) -> int | None:
    """The start time of a process (clock ticks since boot), because process ids are reused.

    None if the process has ended, or if the system has no `/proc`.
    """
    try:
        # The process name, which ends with the last `)`, may contain spaces and parentheses.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _writer(tags: Tags) -> dict[str, Any]:
    writer: dict[str, Any] = json.loads(tags.get(_WRITER, "{}"))
    return writer
