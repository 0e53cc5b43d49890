"""What the service answers with, beside paretoib's own records."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from paretoib.documents import Document
from paretoib.records import SweepInfo, TrialRecord
from paretoib.tracking import STALE_SECONDS


class Counts(Document):
    """Trials: as many as the spec says, and those that have ended, by how."""

    total: int
    finished: int
    stopped: int
    failed: int


class Sweep(SweepInfo):
    """A sweep and how it stands.

    `hypervolume` in bits², None before the first trial has ended. `reason`: why it was interrupted,
    where that is known.
    """

    started: datetime
    ended: datetime | None
    trials: Counts
    hypervolume: float | None
    reason: str | None = None

    @property
    def info(self) -> SweepInfo:
        """The sweep as the library's records have it."""
        return SweepInfo(**{name: getattr(self, name) for name in SweepInfo.model_fields})


@dataclass(frozen=True)
class Row:
    """A sweep as the service knows it.

    `submitted`: when the service last handed it to Ray, if it has. `alive`: when whoever writes
    it last gave a sign of life. `cancelled`: whether someone has asked for its end since then.
    """

    sweep: Sweep
    submitted: datetime | None
    alive: datetime | None
    cancelled: bool

    @property
    def version(self) -> tuple[Any, ...]:
        """Equal as long as nothing of the sweep has changed."""
        sweep = self.sweep
        counts = (sweep.trials.finished, sweep.trials.stopped, sweep.trials.failed)
        return (sweep.id, sweep.status, sweep.ended, *counts)

    @property
    def begun(self) -> bool:
        """Whether the sweep has had a writer since it was last handed to Ray, if it ever was."""
        return self.alive is not None and (self.submitted is None or self.alive >= self.submitted)

    @property
    def silent(self) -> bool:
        """Whether nobody can be writing it: no sign of life for a while, nor of its beginning."""
        signs = (self.sweep.started, self.submitted, self.alive)
        last = max(sign for sign in signs if sign is not None)
        return (datetime.now(UTC) - last).total_seconds() > STALE_SECONDS


class Sweeps(Document):
    """A page of sweeps, newest first; `total` counts those that fit the filters."""

    schema_version: Literal[1] = Field(1, alias="schema")
    sweeps: tuple[Sweep, ...]
    total: int
    offset: int
    limit: int


class Trials(Document):
    """A page of a sweep's trials, without their histories, in the order in which they ended."""

    schema_version: Literal[1] = Field(1, alias="schema")
    trials: tuple[TrialRecord, ...]
    total: int
    offset: int
    limit: int


class Trial(TrialRecord):
    """A trial with its history, and its place in MLflow's pages where people reach them."""

    address: str | None
