"""Which model files of a sweep are kept, and their way from the workers to the store.

All models are kept while their files together are at most the limit (`PARETOIB_MODELS_MB`). A sweep
with more keeps only the models that its results name: the best of each seed on the validation
split, those of trials without a rate, which are the baselines of tables, and those of the front. If
these are more than the limit too, they are kept in this order.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from paretoib.fronts import nondominated, validation_order
from paretoib.records import ModelFile, ModelFiles, TrialRecord
from paretoib.tracking import TrialModel

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelLimit:
    """The limit on the model files that a worker sends for one pack, in bytes.

    If `chosen`, only the models that the whole sweep would keep are sent, as far as the pack shows.
    """

    bytes: int
    chosen: bool = False


@dataclass(frozen=True)
class SentModel:
    """The model of a finished trial, as its worker sends it.

    `size` is the size of the file in bytes. `content` is None for a file that was not sent. It is
    left out of `repr`, because Tune formats every result as text.
    """

    trial: str
    size: int
    content: bytes | None = field(default=None, repr=False)


class ModelCollector:
    """Collects the models of a pack on its worker, as `on_models` of `run_trials`."""

    def __init__(self, limit: ModelLimit) -> None:
        self._limit = limit
        self.models: list[SentModel] = []

    def __call__(
        self, records: Sequence[TrialRecord], size: int, content: Callable[[str], bytes]
    ) -> None:
        if not self._limit.bytes:
            return
        limit = self._limit.bytes - sum(len(model.content or b"") for model in self.models)
        sizes = {record.trial: size for record in records}
        kept = set(sizes)
        if self._limit.chosen or size * len(records) > limit:
            kept = _within(_wanted(records), sizes, limit)
        for trial in sizes:
            sent = content(trial) if trial in kept else None
            self.models.append(SentModel(trial, len(sent) if sent else size, sent))


class KeptModels:
    """The models of a running sweep: which of them to keep, by the rule of this module.

    The rule never wants back what it has dropped because of better trials: a dominated trial stays
    dominated, and a trial that another one beats stays beaten.
    """

    def __init__(self, megabytes: float) -> None:
        self.megabytes = megabytes
        self._limit = int(megabytes * 1e6)
        self.reason = (
            f"the models of the sweep are larger than {megabytes:g} MB (PARETOIB_MODELS_MB), so "
            "only those of the front, the best of each seed and those without a rate are kept, as "
            "far as they fit"
        )
        self._sizes: dict[str, int] = {}
        self._kept: set[str] = set()
        self._records: dict[str, TrialRecord] = {}

    @property
    def limit(self) -> ModelLimit:
        """The limit on the model files of the next pack."""
        return ModelLimit(self._limit, chosen=self._exceeded)

    def restore(self, records: Iterable[TrialRecord], files: ModelFiles) -> set[str]:
        """Continue with the trials that a store holds; returns the trials whose models to drop.

        With a limit of 0 the models that an earlier run has kept stay.
        """
        self._records = {record.trial: record for record in records}
        self._sizes = {file.trial: file.bytes for file in files.files}
        self._kept = {file.trial for file in files.kept}
        return self._dropped()

    def add(
        self, records: Sequence[TrialRecord], sent: Iterable[SentModel]
    ) -> tuple[dict[str, TrialModel], set[str]]:
        """Add the trials of a pack.

        Returns the model of each finished trial of the pack, with its content if it is kept, and
        the earlier trials whose models are kept no longer.
        """
        by_trial = {model.trial: model for model in sent} if self._limit else {}
        earlier, exceeded = set(self._kept), self._exceeded
        self._records |= {record.trial: record for record in records}
        self._sizes |= {trial: model.size for trial, model in by_trial.items()}
        self._kept |= {trial for trial, model in by_trial.items() if model.content is not None}
        dropped = self._dropped()
        self._kept -= dropped
        if self._exceeded and not exceeded:
            _log.info("%s", self.reason)
        return {trial: self._model(model) for trial, model in by_trial.items()}, dropped & earlier

    @property
    def _exceeded(self) -> bool:
        """Whether the models of all finished trials would be larger than the limit."""
        return sum(self._sizes.values()) > self._limit

    def _dropped(self) -> set[str]:
        if not (self._limit and self._exceeded):
            return set()
        wanted = _wanted([self._records[trial] for trial in self._sizes if trial in self._records])
        candidates = [trial for trial in wanted if trial in self._kept]
        return self._kept - _within(candidates, self._sizes, self._limit)

    def _model(self, model: SentModel) -> TrialModel:
        kept = model.trial in self._kept
        file = ModelFile(trial=model.trial, bytes=model.size, missing=None if kept else self.reason)
        return TrialModel(file, model.content if kept else None)


def _wanted(records: Collection[TrialRecord]) -> list[str]:
    """The trials whose models a sweep with these trials keeps, the most important first."""
    seeds: dict[int, list[TrialRecord]] = {}
    for record in records:
        seeds.setdefault(record.spec["seed"], []).append(record)
    measured = [(r, r.test.rate_bits, r.test.lost_bits) for r in records if r.test]
    located = [(r, rate, lost) for r, rate, lost in measured if rate is not None]
    on_front = nondominated(np.array([(r, lost) for _, r, lost in located]).reshape(-1, 2))
    front = [record for (record, _, _), on in zip(located, on_front, strict=True) if on]
    order = [
        *(record for trials in seeds.values() for record in validation_order(trials)[:1]),
        *validation_order(r for r, rate, _ in measured if rate is None),
        *validation_order(front),
    ]
    return list(dict.fromkeys(record.trial for record in order))


def _within(trials: Iterable[str], sizes: Mapping[str, int], limit: int) -> set[str]:
    """The first trials whose models together are at most the limit."""
    kept: set[str] = set()
    for trial in trials:
        limit -= sizes[trial]
        if limit < 0:
            break
        kept.add(trial)
    return kept
