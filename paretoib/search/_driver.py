"""The contract of a driver: what proposes a sweep's trials."""

from abc import ABC, abstractmethod

from paretoib.records import TrialRecord
from paretoib.specs import SweepSpec, TrialSpec


class Driver(ABC):
    """Proposes the trials of one sweep, by ask and tell.

    An implementer guarantees: the proposals are a function of the spec and of what was told, in
    the order of telling, so that a replay of the records goes on where it stopped; a trial is
    proposed once; a trial that was told is not proposed, whether it was asked for or not; records
    that failed or diverged are taken like any other.
    """

    def __init__(self, spec: SweepSpec) -> None:
        self.spec = spec

    @abstractmethod
    def ask(self, count: int) -> list[TrialSpec]:
        """Up to `count` further trials; none when it waits to be told, or is done."""

    @abstractmethod
    def tell(self, record: TrialRecord) -> None:
        """How a trial ended."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether nothing is left to ask for, whatever is told."""
