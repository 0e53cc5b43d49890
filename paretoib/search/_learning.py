"""Base class of searches that use the objectives of earlier trials, for any library."""

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
    """Proposes the settings that `learning` yields, and sends their objectives back to it.

    The first generation is a Latin hypercube, the same for all searches. More such generations
    follow until a trial has objectives. A repeated setting is not trained again; its objectives are
    sent again. A setting without objectives, or without a valid trial, gets the worst value of each
    objective so far. After a generation without a new trial, random settings are trained, which
    `learning` does not receive; if no random setting is new, the search is over.
    """

    def __init__(self, spec: SweepSpec) -> None:
        self.size = self.generation_size(spec)
        super().__init__(spec)

    def generation_size(self, spec: SweepSpec) -> int:
        """The number of trials in a generation."""
        return spec.population

    @abstractmethod
    def learning(self, first: Sequence[Setting], values: list[Values]) -> Learning:
        """The search after its first generation: an endless loop of `values = yield settings`.

        `first` are the settings of the first generation, `values` their objectives.
        """

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
            nothing_new = all(trial is None or self.is_known(trial) for trial in trials)
            records = iter((yield [trial for trial in trials if trial is not None]))
            values = [
                values_of(next(records), spec.objectives, spec.reference) if trial else None
                for trial in trials
            ]
            measured = [v for v in (worst, *values) if v is not None]
            worst = tuple(max(column) for column in zip(*measured, strict=True)) or None
            if nothing_new:
                random_trials = self.new_trials(size)
                if not random_trials:
                    return
                yield random_trials
            if worst is None:
                continue
            objectives = [v or worst for v in values]
            if learning is None:
                learning = self.learning(settings, objectives)
                settings = next(learning)
            else:
                settings = learning.send(objectives)
