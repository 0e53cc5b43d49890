"""The interface of a driver, which proposes the trials of a sweep."""

from abc import ABC, abstractmethod

from paretoib.records import TrialRecord
from paretoib.specs import SweepSpec, TrialSpec


class Driver(ABC):
    """Proposes the trials of one sweep, by ask and tell.

    An implementation guarantees:

    - The trials are a function of the spec and of the records, never of the order of calls to
      `ask` and `tell`. So timing and kills do not change them: a new driver that is told the
      records of an interrupted sweep, in any order, proposes the same further trials. (This holds
      on one machine; elsewhere a library's arithmetic may differ in the last digit. The objective
      `cost` depends on measured times.)
    - It proposes a trial once, and never after `tell` received its record.
    - `tell` accepts every record: of a failed, diverged or stopped trial, without a finite rate, of
      a trial that it knows already (the first record counts) or that it would never propose.
    - It proposes at most `spec.trials` trials, and `ask` and `done` always return.

    Records passed to `tell` have no measurement on the test split. The constructor may raise a
    `SpecError` for a spec that the driver cannot run.
    """

    def __init__(self, spec: SweepSpec) -> None:
        self.spec = spec

    @abstractmethod
    def ask(self, count: int) -> list[TrialSpec]:
        """Up to `count` new trials; empty while it waits for records, and when it is done."""

    @abstractmethod
    def tell(self, record: TrialRecord) -> None:
        """Pass the record of an ended trial."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether `ask` will never return a trial again."""

    @property
    @abstractmethod
    def shortfall(self) -> str | None:
        """The reason for fewer trials than the sweep should have, in one line; else None.

        A space may have too few different settings that can be trained.
        """
