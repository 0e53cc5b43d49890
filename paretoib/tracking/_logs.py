"""The log of a sweep: a text file on the machine whose process runs the sweep."""

import re
from io import SEEK_END
from pathlib import Path
from typing import BinaryIO

from paretoib.errors import NotFoundError
from paretoib.records import LogPart, SweepState
from paretoib.tracking._mlflow.location import log_folder, tracking_uri

LARGEST_PART = 256 * 1024  # bytes of one part of a log
TAIL = 1000  # lines of the end of a log, by default


def log_path(sweep_id: str) -> Path:
    """The file of a sweep's log; the folder may not exist yet."""
    return log_folder(tracking_uri()) / f"{sweep_id}.log"


def read_log(sweep: SweepState, after: int | None = None, tail: int = TAIL) -> LogPart:
    """A part of a sweep's log on this machine, as `log_part` returns it.

    Raises `NotFoundError` with the reason for a sweep without a log on this machine.
    """
    try:
        with log_path(sweep.id).open("rb") as file:
            return log_part(file, after, tail)
    except OSError as error:
        reason = (
            "it ran on another machine, or with an earlier version of paretoib, which wrote no logs"
        )
        if sweep.submitted:
            reason = f"it ran on a service; `paretoib logs {sweep.id[:8]} --server URL` prints it"
        raise NotFoundError(f"sweep {sweep.id[:8]} has no log on this machine: {reason}") from error


def log_part(log: BinaryIO, after: int | None = None, tail: int = TAIL) -> LogPart:
    """The text of a log after the byte `after`; by default, its last `tail` lines.

    A part has at most `LARGEST_PART` bytes, and ends with a whole line unless the log does not.
    """
    size = log.seek(0, SEEK_END)
    start = max(0, size - LARGEST_PART) if after is None else min(after, size)
    log.seek(start)
    content = log.read(LARGEST_PART)
    if start + len(content) < size and b"\n" in content:
        content = content[: content.rindex(b"\n") + 1]
    end = start + len(content)
    if after is None:
        lines = content.splitlines(keepends=True)
        # A part of a long log may start within a line.
        content = b"".join(lines[1 if start else 0 :][-tail:])
    return LogPart(text=_printable(content.decode(errors="replace")), end=end)


def _printable(text: str) -> str:
    """The text without control characters: a message must not steer a terminal."""
    return re.sub(r"[^\n\t\x20-\x7e\x80-\U0010ffff]|[\x80-\x9f]", "�", text)
