"""Base class of the searches that use earlier results; a subclass wraps an optimisation library."""

from abc import abstractmethod
from collections.abc import Generator, Sequence

from scipy.stats import qmc

from paretoib.search._generations import Generations
from paretoib.search._random import Random
from paretoib.search._space import Setting
from paretoib.search._values import Values, values_of
from paretoib.specs import SweepSpec

Proposals = Generator[Sequence[Setting], list[Values], None]


class SequentialDriver(Random):
    """Trains the settings that the generator `propose` yields, and sends it their objective values.

    The first generation is a Latin hypercube, which is the same for searches with the same first
    seed, space and generation size. More such generations follow until a trial has objective
    values. A repeated setting is trained with its next seed; after the last seed, it is not trained
    again, and the values of one of its trials are sent again. A setting without values, or without
    a valid trial, gets the worst value of each search objective so far. After a generation without
    a new trial, the driver trains random settings and does not send their values to the generator.
    If no random setting is new, the search is over.
    """

    def __init__(self, spec: SweepSpec) -> None:
        self.size = self.generation_size(spec)
        super().__init__(spec)

    def generation_size(self, spec: SweepSpec) -> int:
        """The number of trials in a generation."""
        return spec.population

    @abstractmethod
    def propose(self, first: Sequence[Setting], values: list[Values]) -> Proposals:
        """The search after a Latin hypercube: an endless loop of `values = yield settings`.

        `first` are the settings of the first generation that has objective values, and `values` are
        these values.
        """

    def generations(self) -> Generations:
        spec, size = self.spec, self.size
        cube = qmc.LatinHypercube(len(self.space), rng=spec.seeds[0])
        proposals: Proposals | None = None
        worst: Values | None = None
        settings: Sequence[Setting] = []
        while True:
            if proposals is None:
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
            complete = [v or worst for v in values]
            if proposals is None:
                proposals = self.propose(settings, complete)
                settings = next(proposals)
            else:
                settings = proposals.send(complete)
