"""A store that comes and goes, and refuses."""

from collections.abc import Sequence

from paretoib.records import Front, Status
from paretoib.tracking import EndedTrial, File, MemoryTracker


class Moody(MemoryTracker):
    """A store in memory that raises `mood` at whatever is written; `calls` is what it took."""

    def __init__(self) -> None:
        super().__init__()
        self.mood: Exception | None = None
        self.tries = 0
        self.calls: list[object] = []

    def _heard(self, what: object) -> None:
        self.tries += 1
        if self.mood:
            raise self.mood
        self.calls.append(what)

    def add(self, sweep_id: str, ended: Sequence[EndedTrial]) -> None:
        # Only after the first of them, as a server may fall over in the middle of a pack.
        super().add(sweep_id, ended[:1])
        self._heard([one.record.trial for one in ended])
        super().add(sweep_id, ended)

    def update(self, sweep_id: str, front: Front) -> None:
        self._heard(front)
        super().update(sweep_id, front)

    def close(
        self, sweep_id: str, status: Status, front: Front | None, pictures: Sequence[File]
    ) -> None:
        self._heard(status)
        super().close(sweep_id, status, front, pictures)
