"""Who writes a sweep, as its run's tags tell; and the request to end it.

A writer on this machine is known to be gone when its process is, and one on another by its silence
alone. On one machine a journal's lock tells likewise (`_journal_file`), but of that journal alone.
"""

import json
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paretoib.tracking._mlflow.layout import Tags
from paretoib.tracking._tracker import HEARTBEAT_SECONDS

_WRITER = "mlflow.paretoib.writer"
_CANCEL = "mlflow.paretoib.cancel"
_SUBMITTED = "mlflow.paretoib.submitted"
STALE_SECONDS = 4 * HEARTBEAT_SECONDS  # seconds without a sign of life

CANCELLED = {_CANCEL: "true"}
NOT_CANCELLED = {_CANCEL: ""}


def alive() -> dict[str, str]:
    """This process writes the sweep, now."""
    writer = {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "started": _start_of(os.getpid()),
        "alive": round(time.time()),
    }
    return {_WRITER: json.dumps(writer)}


def last_sign(tags: Tags) -> float | None:
    """When the sweep's writer, if it ever had one, last gave a sign of life (seconds, epoch)."""
    writer = _writer(tags)
    return float(writer["alive"]) if writer else None


def submitted() -> dict[str, str]:
    """The sweep is handed to a cluster, now."""
    return {_SUBMITTED: datetime.now(UTC).isoformat()}


def submitted_at(tags: Tags) -> datetime | None:
    """When the sweep, if ever, was last handed to a cluster."""
    return datetime.fromisoformat(tags[_SUBMITTED]) if tags.get(_SUBMITTED) else None


def waits(tags: Tags) -> bool:
    """Whether the sweep, handed to a cluster, has not begun there: its turn may be far off."""
    submitted, sign = submitted_at(tags), last_sign(tags)
    return submitted is not None and (sign is None or sign < submitted.timestamp())


def silent(sign: float | None, seconds: float = STALE_SECONDS) -> bool:
    """Whether a writer whose last sign of life this is has given none for a while."""
    return sign is not None and abs(time.time() - sign) > seconds


def other_writer(tags: Tags) -> str | None:
    """Who else writes the sweep, if there was a sign of life a moment ago."""
    writer = _writer(tags)
    if not writer or silent(writer["alive"]):
        return None
    if writer["host"] == socket.gethostname() and not _runs_beside(writer):
        return None
    age = abs(time.time() - writer["alive"])
    return f"process {writer['process']} on {writer['host']}, alive {age:.0f} s ago"


def successor(tags: Tags) -> str | None:
    """Who has begun the sweep since this process did, whether or not it still is at work."""
    writer = _writer(tags)
    if not writer or (writer["host"], writer["process"]) == (socket.gethostname(), os.getpid()):
        return None
    return f"process {writer['process']} on {writer['host']}"


def _runs_beside(writer: dict[str, Any]) -> bool:
    """Whether a writer of this machine is another process than this one, and still there."""
    process, started = writer["process"], writer.get("started")
    return process != os.getpid() and started is not None and started == _start_of(process)


def _start_of(process: int) -> int | None:
    """When a process started (clock ticks since boot), as another may get its number later.

    None for one that has ended, and where the system does not say.
    """
    try:
        # The name before may have blanks and brackets in it.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def is_cancelled(tags: Tags) -> bool:
    """Whether someone has asked since the sweep was begun."""
    return bool(tags.get(_CANCEL))


def _writer(tags: Tags) -> dict[str, Any]:
    writer: dict[str, Any] = json.loads(tags.get(_WRITER, "{}"))
    return writer
