"""What is written of a sweep, whatever it is written to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from paretoib.records import Front, Reference, Status, SweepInfo, TrialRecord
from paretoib.specs import SweepSpec


@dataclass(frozen=True)
class Ruler:
    """What a sweep's hypervolumes are measured with; fixed when its first trial is placed."""

    reference: Reference
    label_entropy_bits: float


@dataclass(frozen=True)
class Picture:
    """A picture of a front as a file: `front.html`, `front.png`."""

    name: str
    content: bytes


class Tracker(Protocol):
    """A store of sweeps and their trials.

    An implementer guarantees: what a method has written before it returns survives the process;
    a trial is either wholly there or not there; `records` returns each trial once, in the order
    in which they were added; `NotFoundError` for a sweep that is not there, `StoreError` for a
    store that cannot be read or written, both in one plain line. A sweep has one writer at a
    time; readers may look on from anywhere.
    """

    def create(self, spec: SweepSpec) -> SweepInfo:
        """A new sweep, running."""

    def find(self, reference: str) -> SweepInfo:
        """The sweep with this id, name (of several: the latest), or unique id prefix.

        A prefix has 4 characters or more.
        """

    def sweeps(self) -> list[SweepInfo]:
        """All sweeps, newest first."""

    def begin(self, sweep_id: str, ruler: Ruler) -> None:
        """Fix the ruler; the sweep is running, also one that had ended and is taken up again.

        A second call with another ruler is an error (`StoreError`).
        """

    def ruler(self, sweep_id: str) -> Ruler | None:
        """The ruler, or None while the sweep has not begun."""

    def add(self, sweep_id: str, record: TrialRecord, *, hypervolume: float) -> None:
        """One ended trial, and the sweep's hypervolume with it. A key that is there stays once."""

    def records(self, sweep_id: str) -> list[TrialRecord]:
        """The ended trials, without their histories."""

    def update(self, sweep_id: str, front: Front) -> None:
        """The front so far."""

    def close(
        self, sweep_id: str, status: Status, front: Front | None, pictures: Sequence[Picture]
    ) -> None:
        """The sweep has ended: its status, and where there are trials its front and pictures."""

    def address(self, sweep_id: str) -> str:
        """Where a person looks at the sweep: a line to print."""
