"""Searches that learn from the objectives of earlier trials, whatever library they are of."""

from abc import abstractmethod
from collections.abc import Generator, Sequence

from scipy.stats import qmc

from paretoib.search._generations import Generations
from paretoib.search._random import Random
from paretoib.search._space import Setting
from paretoib.search._values import Values, values_of
from paretoib.specs import SweepSpec

Learning = Generator[Sequence[Setting], list[Values], None]


class LearningDriver(Random):
    """Proposes settings that `learning` yields, and tells it their objectives.

    The first generation is a Latin hypercube, the same for all searches, drawn again until
    something was measured. A setting that was had before is not trained again, but told as it was;
    one without objectives, or that makes no trial, is told with the worst of each objective that
    was measured so far. A generation without anything new is followed by one at random, which
    `learning` is not told, and the sweep ends when that brings nothing new either.
    """

    def __init__(self, spec: SweepSpec) -> None:
        self.size = self.generation_size(spec)
        super().__init__(spec)

    def generation_size(self, spec: SweepSpec) -> int:
        """Trials a generation."""
        return spec.population

    @abstractmethod
    def learning(self, first: Sequence[Setting], values: list[Values]) -> Learning:
        """All of the search after its first generation: for ever `values = yield settings`."""

    def generations(self) -> Generations:
        spec, size = self.spec, self.size
        cube = qmc.LatinHypercube(len(self.space), rng=spec.seeds[0])
        learning: Learning | None = None
        worst: Values | None = None
        settings: Sequence[Setting] = []
        while True:
            if learning is None:
                settings = [self.space.setting(point) for point in cube.random(size).tolist()]
            trials = list(self.trials(settings))
            barren = all(trial is None or self.is_known(trial) for trial in trials)
            records = iter((yield [trial for trial in trials if trial is not None]))
            values = [
                values_of(next(records), spec.objectives, spec.reference) if trial else None
                for trial in trials
            ]
            measured = [v for v in (worst, *values) if v is not None]
            worst = tuple(max(column) for column in zip(*measured, strict=True)) or None
            if barren:
                fresh = self.fresh(size)
                if not fresh:
                    return
                yield fresh
            if worst is None:
                continue
            told = [v or worst for v in values]
            if learning is None:
                learning = self.learning(settings, told)
                settings = next(learning)
            else:
                settings = learning.send(told)
