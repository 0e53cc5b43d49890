"""Who writes a sweep, as its run's tags tell other machines; and the request to end it.

On one machine a lock tells, and needs no patience after a kill (`_journal_file`).
"""

import json
import os
import socket
import time

from paretoib.tracking._layout import Tags
from paretoib.tracking._tracker import BEAT_EVERY

_WRITER = "mlflow.paretoib.writer"
_CANCEL = "mlflow.paretoib.cancel"
GONE = 4 * BEAT_EVERY  # seconds without a sign of life

CANCELLED = {_CANCEL: "true"}
NOT_CANCELLED = {_CANCEL: ""}


def alive() -> dict[str, str]:
    """This process writes the sweep, now."""
    writer = {"host": socket.gethostname(), "process": os.getpid(), "alive": round(time.time())}
    return {_WRITER: json.dumps(writer)}


def last_sign(tags: Tags) -> float | None:
    """When the sweep's writer, if it ever had one, last gave a sign of life (seconds, epoch)."""
    writer = json.loads(tags.get(_WRITER, "{}"))
    return float(writer["alive"]) if writer else None


def silent(sign: float | None) -> bool:
    """Whether a writer whose last sign of life this is has given none for a while."""
    # One that has never given any may wait for its turn.
    return sign is not None and abs(time.time() - sign) > GONE


def elsewhere(tags: Tags) -> str | None:
    """Who writes the sweep on another machine, if there was a sign of life a moment ago."""
    writer = json.loads(tags.get(_WRITER, "{}"))
    if not writer or writer["host"] == socket.gethostname():
        return None
    age = abs(time.time() - writer["alive"])
    if age > GONE:
        return None
    return f"process {writer['process']} on {writer['host']}, alive {age:.0f} s ago"


def is_cancelled(tags: Tags) -> bool:
    """Whether someone has asked since the sweep was begun."""
    return bool(tags.get(_CANCEL))
