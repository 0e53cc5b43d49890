"""Drivers that propose a generation of trials at a time, written as generators."""

from abc import abstractmethod
from collections.abc import Generator, Sequence
from itertools import islice

from paretoib.records import TrialRecord
from paretoib.search._driver import Driver
from paretoib.specs import SweepSpec, TrialSpec

Generations = Generator[Sequence[TrialSpec], list[TrialRecord], None]


class GenerationalDriver(Driver):
    """Proposes what `generations` yields; the next generation is made when all of one are told.

    So a generation is a function of the spec and of the records of those before it, in the order
    in which their trials were proposed.
    """

    def __init__(self, spec: SweepSpec) -> None:
        super().__init__(spec)
        self._records: dict[str, TrialRecord] = {}
        self._proposed: set[str] = set()  # keys of all generations
        self._waiting: dict[str, TrialSpec] = {}  # neither asked nor told; a dict for its order
        self._untold: set[str] = set()
        self._steps = self.generations()
        self._begin(next(self._steps, None))

    @abstractmethod
    def generations(self) -> Generations:
        """All of the search: `records = yield trials`, the records in the order of the trials.

        A trial that it yields again is not run again, but answered with its record. It may go on
        for ever, as the sweep's number of trials ends it, but must not for ever yield nothing new.
        """

    def is_known(self, trial: TrialSpec) -> bool:
        """Whether a generation before the one in the making had it."""
        return trial.key in self._proposed

    def ask(self, count: int) -> list[TrialSpec]:
        self._advance()
        return [self._waiting.pop(key) for key in list(islice(self._waiting, count))]

    def tell(self, record: TrialRecord) -> None:
        # What no later generation is made from need not be kept; nor histories, which are long.
        if not self._last:
            self._records.setdefault(record.trial, record.model_copy(update={"history": {}}))
        self._untold.discard(record.trial)
        self._waiting.pop(record.trial, None)

    @property
    def done(self) -> bool:
        self._advance()
        return self._last and not self._waiting

    @property
    def shortfall(self) -> str | None:
        found, trials = len(self._proposed), self.spec.trials
        if not self._last or found >= trials:
            return None
        return (
            f"search `{self.spec.search}` ended after {found} of {trials} trials, as it found no "
            "further settings that differ and can be trained"
        )

    def _advance(self) -> None:
        while not (self._untold or self._last):
            try:
                self._begin(self._steps.send([self._records[key] for key in self._generation]))
            except StopIteration:
                self._begin(None)

    def _begin(self, trials: Sequence[TrialSpec] | None) -> None:
        """Make these the current generation; None: there is none any more."""
        self._generation = [trial.key for trial in trials or ()]
        new = {t.key: t for t in trials or () if not self.is_known(t)}
        room = self.spec.trials - len(self._proposed)
        self._last = trials is None or len(new) >= room
        self._proposed.update(islice(new, room))
        self._waiting = {
            key: trial for key, trial in islice(new.items(), room) if key not in self._records
        }
        self._untold = set(self._waiting)
