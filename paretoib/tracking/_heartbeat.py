"""A sweep's heartbeat, its writer and the request to cancel, as tags of the sweep's run.

A writer on this machine is gone when its process has ended; a writer on another machine is gone
when its heartbeat is stale. The lock of a journal (`_journal.file`) tells the same, for the writers
that use that journal.
"""

import json
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paretoib.tracking._tracker import HEARTBEAT_SECONDS, Tags

_WRITER = "mlflow.paretoib.writer"
_CANCEL = "mlflow.paretoib.cancel"
_SUBMITTED = "mlflow.paretoib.submitted"
STALE_SECONDS = 4 * HEARTBEAT_SECONDS  # a heartbeat of this age is stale

CANCEL_REQUESTED = {_CANCEL: "true"}
CANCEL_NOT_REQUESTED = {_CANCEL: ""}


def heartbeat_tag() -> dict[str, str]:
    """A heartbeat of this process as the sweep's writer, now."""
    writer = {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "started": _start_of(os.getpid()),
        "alive": round(time.time()),
    }
    return {_WRITER: json.dumps(writer)}


def last_heartbeat(tags: Tags) -> float | None:
    """The time of the last heartbeat (seconds since the epoch); None without one."""
    writer = _writer(tags)
    return float(writer["alive"]) if writer else None


def submitted_tag() -> dict[str, str]:
    """The sweep is handed to a cluster, now."""
    return {_SUBMITTED: datetime.now(UTC).isoformat()}


def submitted_at(tags: Tags) -> datetime | None:
    """When the sweep was last handed to a cluster; None if it never was."""
    return datetime.fromisoformat(tags[_SUBMITTED]) if tags.get(_SUBMITTED) else None


def is_stale(heartbeat: float | None, seconds: float | None = None) -> bool:
    """Whether a heartbeat (seconds since the epoch) is older than `seconds`."""
    limit = STALE_SECONDS if seconds is None else seconds
    return heartbeat is not None and abs(time.time() - heartbeat) > limit


def other_writer(tags: Tags) -> str | None:
    """The other process that writes the sweep, in words; None where there is none."""
    writer = _writer(tags)
    if not writer or is_stale(writer["alive"]):
        return None
    if writer["host"] == socket.gethostname() and not _runs_here(writer):
        return None
    age = abs(time.time() - writer["alive"])
    return f"process {writer['process']} on {writer['host']}, last heartbeat {age:.0f} s ago"


def successor(tags: Tags) -> str | None:
    """The process that has taken the sweep over from this one, alive or not; None without one."""
    writer = _writer(tags)
    if not writer or (writer["host"], writer["process"]) == (socket.gethostname(), os.getpid()):
        return None
    return f"process {writer['process']} on {writer['host']}"


def is_cancel_requested(tags: Tags) -> bool:
    """Whether someone has requested to cancel the sweep since it was begun."""
    return bool(tags.get(_CANCEL))


def _runs_here(writer: dict[str, Any]) -> bool:
    """Whether a writer on this machine is another process than this one, and still runs."""
    process, started = writer["process"], writer.get("started")
    return process != os.getpid() and started is not None and started == _start_of(process)


def _start_of(process: int) -> int | None:
    """When a process started (clock ticks since boot), as process ids are used again.

    None for a process that has ended, and where the system does not tell.
    """
    try:
        # The process name before the last bracket may contain blanks and brackets.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _writer(tags: Tags) -> dict[str, Any]:
    writer: dict[str, Any] = json.loads(tags.get(_WRITER, "{}"))
    return writer
