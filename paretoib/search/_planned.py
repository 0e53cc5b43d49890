"""Drivers that know all their trials before the sweep starts."""

from abc import abstractmethod
from collections.abc import Iterator
from itertools import product

from paretoib.errors import SpecError
from paretoib.search._generations import GenerationalDriver, Generations
from paretoib.specs import TrialSpec


class PlannedDriver(GenerationalDriver):
    """Proposes the trials of `plan` in one generation.

    Raises:
        SpecError: the plan has fewer different trials than `spec.trials`.
    """

    def generations(self) -> Generations:
        # A dict removes repeated trials and keeps the order.
        trials = {trial.key: trial for trial in self.plan()}
        if len(trials) < self.spec.trials:
            raise SpecError(
                f"trials: should be at most {len(trials)}, the number of different trials that "
                f"search `{self.spec.search}` has; found {self.spec.trials}"
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
