"""A store that fails on demand."""

from collections.abc import Sequence

from paretoib.records import Front, Status
from paretoib.tracking import EndedTrial, File, MemoryTracker


class FlakyStore(MemoryTracker):
    """A store in memory whose writes raise `failure` while it is set.

    `tries` counts all writes, and `calls` lists the successful ones.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failure: Exception | None = None
        self.tries = 0
        self.calls: list[object] = []

    def _record(self, call: object) -> None:
        self.tries += 1
        if self.failure:
            raise self.failure
        self.calls.append(call)

    def add(self, sweep_id: str, trials: Sequence[EndedTrial]) -> None:
        # Write only the first trial before the failure, as if the server is killed while it writes
        # a pack.
        super().add(sweep_id, trials[:1])
        self._record([trial.record.trial for trial in trials])
        super().add(sweep_id, trials)

    def update(self, sweep_id: str, front: Front) -> None:
        self._record(front)
        super().update(sweep_id, front)

    def close(
        self,
        sweep_id: str,
        status: Status,
        front: Front | None,
        pictures: Sequence[File],
        reason: str | None = None,
    ) -> None:
        self._record(status)
        super().close(sweep_id, status, front, pictures, reason)
