"""Base class of drivers that propose trials in generations, which a Python generator yields."""

from abc import abstractmethod
from collections.abc import Generator, Sequence
from itertools import islice

from paretoib.records import TrialRecord
from paretoib.search._driver import Driver
from paretoib.specs import SweepSpec, TrialSpec

Generations = Generator[Sequence[TrialSpec], list[TrialRecord], None]


class GenerationalDriver(Driver):
    """Proposes the trials that `generations` yields, one generation after the other.

    The next generation is computed when `tell` has received all records of the current one. So a
    generation depends only on the spec and on the records of earlier generations, in the order in
    which their trials were proposed.
    """

    def __init__(self, spec: SweepSpec) -> None:
        super().__init__(spec)
        self._records: dict[str, TrialRecord] = {}
        self._proposed: set[str] = set()  # keys of the trials of all generations
        self._queue: dict[str, TrialSpec] = {}  # not yet returned by `ask`, in order
        self._pending: set[str] = set()  # keys without a record in the current generation
        self._generator = self.generations()
        self._begin(next(self._generator, None))

    @abstractmethod
    def generations(self) -> Generations:
        """The whole search, as `records = yield trials` for each generation.

        `records` are in the order of `trials`. A trial that is yielded again is not run again; its
        record is sent again. The generator may be endless, because the sweep ends after
        `spec.trials` trials. It must not yield known trials for ever.
        """

    def is_known(self, trial: TrialSpec) -> bool:
        """Whether an earlier generation has the trial."""
        return trial.key in self._proposed

    def ask(self, count: int) -> list[TrialSpec]:
        self._advance()
        return [self._queue.pop(key) for key in list(islice(self._queue, count))]

    def tell(self, record: TrialRecord) -> None:
        # Only a later generation needs the records, and none needs the long histories.
        if not self._is_last:
            self._records.setdefault(record.trial, record.model_copy(update={"history": {}}))
        self._pending.discard(record.trial)
        self._queue.pop(record.trial, None)

    @property
    def done(self) -> bool:
        self._advance()
        return self._is_last and not self._queue

    @property
    def shortfall(self) -> str | None:
        proposed, trials = len(self._proposed), self.spec.trials
        if not self._is_last or proposed >= trials:
            return None
        return (
            f"search `{self.spec.search}` found only {proposed} of {trials} trials: the space has "
            "no other settings that can be trained"
        )

    def _advance(self) -> None:
        """Compute new generations until one has a pending trial or is the last."""
        while not (self._pending or self._is_last):
            try:
                self._begin(self._generator.send([self._records[key] for key in self._generation]))
            except StopIteration:
                self._begin(None)

    def _begin(self, trials: Sequence[TrialSpec] | None) -> None:
        """Begin a generation with these trials; None if the search is over."""
        self._generation = [trial.key for trial in trials or ()]
        new = {t.key: t for t in trials or () if not self.is_known(t)}
        room = self.spec.trials - len(self._proposed)
        self._is_last = trials is None or len(new) >= room
        self._proposed.update(islice(new, room))
        self._queue = {
            key: trial for key, trial in islice(new.items(), room) if key not in self._records
        }
        self._pending = set(self._queue)
