"""What is written of a sweep, whatever it is written to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from paretoib.records import Front, Reference, Status, SweepInfo, TrialRecord
from paretoib.specs import SweepSpec

HEARTBEAT_SECONDS = 5.0  # seconds between two signs of life of a sweep's writer

History = Mapping[str, tuple[float | None, ...]]


@dataclass(frozen=True)
class Ruler:
    """What a sweep's hypervolumes are measured with; fixed when its first trial is placed."""

    reference: Reference
    label_entropy_bits: float


@dataclass(frozen=True)
class EndedTrial:
    """A trial that ended, and its sweep's hypervolume after it (bits²)."""

    record: TrialRecord
    hypervolume: float


@dataclass(frozen=True)
class File:
    """A file of a sweep or a trial, such as `front.html`."""

    name: str
    content: bytes


class Reader(Protocol):
    """A store of sweeps and their trials, to look at.

    `NotFoundError` for a sweep that is not there, `StoreError` for a store that cannot be read,
    both in one plain line, and of the latter `StoreAwayError` where the same call may succeed
    later. `records` returns each trial once, in the order in which they were added.
    """

    def find(self, reference: str) -> SweepInfo:
        """The sweep with this id, name (of several: the latest), or unique id prefix.

        A prefix has 4 characters or more.
        """

    def sweeps(self) -> list[SweepInfo]:
        """All sweeps, newest first."""

    def alive(self, sweep_id: str) -> bool:
        """False where the sweep's writer has given no sign of life for a while.

        Its first is due a while after the sweep was made, unless a cluster was given it since.
        """

    def ruler(self, sweep_id: str) -> Ruler | None:
        """The ruler, or None while the sweep has not begun."""

    def records(self, sweep_id: str) -> list[TrialRecord]:
        """The ended trials, without their histories."""

    def histories(self, sweep_id: str, trial: str) -> History:
        """One trial's history, whole; empty where it ended before it had one.

        `NotFoundError` for a trial that has not ended in this sweep.
        """

    def address(self, sweep_id: str) -> str:
        """Where a person looks at the sweep: a line to print."""

    def run_address(self, sweep_id: str, trial: str) -> str:
        """Where a person looks at one ended trial: a line; `NotFoundError` as for `histories`."""


class Tracker(Reader, Protocol):
    """A store of sweeps and their trials, to write.

    An implementer guarantees, beside what a `Reader` does: what a method has written before it
    returns survives the process; a trial is either wholly there or not there; what cannot be
    written is a `StoreError`. A sweep has one writer at a time; readers may look on from anywhere.
    A process that gave no sign of life for a while may find, when it goes on, that another has
    begun its sweep: then `beat`, and whatever would write, is a `TakenOverError`, and writes
    nothing.
    """

    def create(self, spec: SweepSpec) -> SweepInfo:
        """A new sweep, running."""

    def begin(self, sweep_id: str, ruler: Ruler) -> None:
        """Fix the ruler; the sweep is running, also one that had ended and is taken up again.

        Another ruler than before is an error (`StoreError`), and so is another writer at work.
        """

    def heartbeat(self, sweep_id: str) -> bool:
        """The sweep's writer is alive; whether someone has asked it, since `begin`, to end."""

    def cancel(self, sweep_id: str) -> None:
        """Ask the sweep's writer, wherever it is, to end it."""

    def add(self, sweep_id: str, ended: Sequence[EndedTrial]) -> None:
        """The ended trials of a pack, in order. A key that is there stays once."""

    def update(self, sweep_id: str, front: Front) -> None:
        """The front so far."""

    def flush(self, sweep_id: str) -> None:
        """Wait until what was added can be seen by every reader."""

    def stop_waiting(self, sweep_id: str) -> None:
        """Whoever waits, or will, for a store that is away shall wait no longer.

        For a handler of signals, which may interrupt any other method.
        """

    def close(
        self, sweep_id: str, status: Status, front: Front | None, pictures: Sequence[File]
    ) -> None:
        """The sweep has ended: its status, and where there are trials its front and pictures."""
