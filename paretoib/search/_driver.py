"""The contract of a driver: what proposes a sweep's trials."""

from abc import ABC, abstractmethod

from paretoib.records import TrialRecord
from paretoib.specs import SweepSpec, TrialSpec


class Driver(ABC):
    """Proposes the trials of one sweep, by ask and tell.

    An implementer guarantees:

    - The trials of a sweep are a function of its spec and of their own records, never of the
      order in which they are asked for or told. So neither timing nor a kill can change them, and
      a new driver that is told the records of an interrupted sweep, in any order, goes on to the
      same trials (on one machine; a library's arithmetic may differ in the last digit elsewhere).
      Only the objective `cost` is measured anew each time.
    - A trial is proposed once, and not at all once it was told, whether it was asked for or not.
    - Every record is taken: of trials that failed, diverged or were stopped, that have no finite
      rate, that it was told already (the first counts) or would never have proposed.
    - At most `spec.trials` are proposed, and neither `ask` nor `done` goes on for ever.

    What it is told has no measurement on the test split. An implementer may raise `SpecError` when
    it is made, for a spec that it cannot serve.
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

    @property
    @abstractmethod
    def shortfall(self) -> str | None:
        """Why it ended with fewer trials than the sweep should have, in one line; None: it did not.

        A space may have too few settings that differ and that can be trained.
        """
