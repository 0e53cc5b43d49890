"""The interface of a driver, which proposes the trials of a sweep."""

from abc import ABC, abstractmethod

from paretoib.records import TrialRecord
from paretoib.specs import SweepSpec, TrialSpec


class Driver(ABC):
    """Proposes the trials of one sweep, by `ask` and `tell`.

    An implementation guarantees:

    - The trials are a function of the spec and of the records, never of the order of calls to
      `ask` and `tell`. So neither timing nor a restart changes them: a new driver that receives
      the records of an interrupted sweep, in any order, proposes the same further trials. (On
      another machine, a library's arithmetic may differ in the last digit. The search objective
      `cost` depends on measured times.)
    - A trial is proposed at most once, and never after `tell` received its record.
    - `tell` accepts every record. The trial may have failed, diverged or been stopped, have no
      finite rate, have a record already (the first record counts), or be one that the driver would
      never propose.
    - The trials of an extended sweep contain those that it had before (`spec.stages`).
    - At most `spec.trials` trials are proposed, and `ask` and `done` always return.

    Records passed to `tell` have no measurement on the test split. The constructor may raise a
    `SpecError` for a spec that the driver cannot run.
    """

    def __init__(self, spec: SweepSpec) -> None:
        self.spec = spec

    @abstractmethod
    def ask(self, count: int) -> list[TrialSpec]:
        """Up to `count` new trials; empty if the driver waits for records or is done."""

    @abstractmethod
    def tell(self, record: TrialRecord) -> None:
        """Receive the record of an ended trial."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether `ask` will never return a trial again."""

    @property
    @abstractmethod
    def shortfall(self) -> str | None:
        """Why the driver proposes fewer than `spec.trials` trials, in one line; otherwise None.

        This happens if the space has too few different settings that can be trained.
        """
