"""Drivers whose trials are all known beforehand."""

from abc import abstractmethod
from collections.abc import Iterator
from itertools import product

from paretoib.errors import SpecError
from paretoib.search._generations import GenerationalDriver, Generations
from paretoib.specs import TrialSpec


class PlannedDriver(GenerationalDriver):
    """Proposes the trials of `plan` in one generation; `SpecError` where they are too few."""

    def generations(self) -> Generations:
        # A dict for its order: trials that the plan repeats are proposed once.
        trials = {trial.key: trial for trial in self.plan()}
        if len(trials) < self.spec.trials:
            raise SpecError(
                f"trials: should be at most {len(trials)}, as so few of the search's "
                f"settings differ; found {self.spec.trials}"
            )
        yield list(trials.values())

    @abstractmethod
    def plan(self) -> Iterator[TrialSpec]:
        """All trials of the sweep."""


class Grid(PlannedDriver):
    """Every combination of the axes, for every seed."""

    def plan(self) -> Iterator[TrialSpec]:
        axes = self.spec.grid
        for seed in self.spec.seeds:
            for values in product(*axes.values()):
                yield self.spec.template.with_fields(
                    {**dict(zip(axes, values, strict=True)), "seed": seed}
                )
