"""A sweep's writer, its heartbeat and the request to cancel, as tags of the sweep's MLflow run.

A writer counts as gone when its heartbeat is stale, or when it ran on this machine and its process
has ended. The lock of a journal (`_journal.file`) also keeps a second writer on this machine out.
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
STALE_SECONDS = 4 * HEARTBEAT_SECONDS  # an older heartbeat is stale

CANCEL_REQUESTED = {_CANCEL: "true"}
CANCEL_NOT_REQUESTED = {_CANCEL: ""}


def heartbeat_tag() -> dict[str, str]:
    """The tag for a heartbeat at this moment, with this process as the sweep's writer."""
    writer = {
        "host": socket.gethostname(),
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

    `seconds` is `STALE_SECONDS` by default.
    """
    limit = STALE_SECONDS if seconds is None else seconds
    return heartbeat is not None and abs(time.time() - heartbeat) > limit


def other_writer(tags: Tags) -> str | None:
    """A description of the other process that writes the sweep; None if there is none."""
    writer = _writer(tags)
    if not writer or is_stale(writer["alive"]):
        return None
    if writer["host"] == socket.gethostname() and not _runs_here(writer):
        return None
    age = abs(time.time() - writer["alive"])
    return f"process {writer['process']} on {writer['host']}, last heartbeat {age:.0f} s ago"


def successor(tags: Tags) -> str | None:
    """A description of the process that took over the sweep from this process; None if none did.

    That process may have ended since.
    """
    writer = _writer(tags)
    if not writer or (writer["host"], writer["process"]) == (socket.gethostname(), os.getpid()):
        return None
    return f"process {writer['process']} on {writer['host']}"


def is_cancel_requested(tags: Tags) -> bool:
    """Whether a cancellation was requested since the sweep last began or was submitted."""
    return bool(tags.get(_CANCEL))


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
