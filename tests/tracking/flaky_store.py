"""A store that fails on demand."""

from collections.abc import Sequence

from paretoib.records import Front, Status
from paretoib.tracking import EndedTrial, File, MemoryTracker


class FlakyStore(MemoryTracker):
    """A store in memory; `add`, `update` and `close` raise `failure` if it is not None.

    `tries` counts the calls of these methods, and `calls` lists the successful ones.
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
        # Before a failure only the first trial is written, as by a server that is killed while it
        # writes a pack.
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
