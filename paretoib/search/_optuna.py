"""Optuna's samplers, by ask and tell in memory. https://optuna.org; Akiba et al. 2019."""

import warnings
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIIISampler, NSGAIISampler, TPESampler
from optuna.samplers.nsgaii import PolynomialMutation, SBXCrossover

from paretoib.search._directions import divisions
from paretoib.search._learning import Learning, LearningDriver
from paretoib.search._space import Setting, axis_ends, fitted
from paretoib.search._values import Values
from paretoib.specs import Choices, Range

# A sweep has a progress of its own to show.
optuna.logging.set_verbosity(optuna.logging.CRITICAL)


class OptunaDriver(LearningDriver):
    """Asks a study for a generation of trials, then tells it all of them."""

    @abstractmethod
    def sampler(self, seed: int) -> BaseSampler:
        """The sampler that the study is made with; the first `size` trials are not its own."""

    def learning(self, first: Sequence[Setting], values: list[Values]) -> Learning:
        with warnings.catch_warnings(category=ExperimentalWarning, action="ignore"):
            sampler = self.sampler(self.spec.seeds[0])
        study = optuna.create_study(
            sampler=sampler, directions=["minimize"] * len(self.spec.objectives)
        )
        fields = self.space.fields
        axes = {field: _distribution(choices) for field, choices in fields.items()}
        for setting, value in zip(first, values, strict=True):
            study.enqueue_trial({f: _number(fields[f], v) for f, v in setting.items()})
            trial = study.ask(axes)
            # The genetic samplers count a trial into their population once these were asked for.
            _ = trial.relative_params
            study.tell(trial, value)
        while True:
            asked = [study.ask(axes) for _ in range(self.size)]
            values = yield [
                {f: _value(fields[f], number) for f, number in trial.params.items()}
                for trial in asked
            ]
            for trial, value in zip(asked, values, strict=True):
                study.tell(trial, value)


class TPE(OptunaDriver):
    """Multi-objective TPE (Ozaki et al. 2022): each field by densities of good and other trials."""

    def sampler(self, seed: int) -> BaseSampler:
        return TPESampler(seed=seed, n_startup_trials=self.size)


class GP(OptunaDriver):
    """A Gaussian process an objective, log expected hypervolume improvement (Ament et al. 2023).

    Made for few trials: what it takes grows with the cube of their number.
    """

    def sampler(self, seed: int) -> BaseSampler:
        return GPSampler(seed=seed, n_startup_trials=self.size)


class NSGA2(OptunaDriver):
    """NSGA-II (Deb et al. 2002), with its own crossover and mutation in place of Optuna's.

    Those exchange whole fields or draw them anew, which with one field is a search at random. Steps
    are wider than published, for hundreds of generations: a sweep has few.
    """

    def sampler(self, seed: int) -> BaseSampler:
        return NSGAIISampler(
            seed=seed,
            population_size=self.size,
            crossover=SBXCrossover(eta=3),
            mutation=PolynomialMutation(eta=5),
        )


class NSGA3(OptunaDriver):
    """NSGA-III (Deb and Jain 2014), likewise; as many reference directions as fit the size."""

    def sampler(self, seed: int) -> BaseSampler:
        return NSGAIIISampler(
            seed=seed,
            population_size=self.size,
            crossover=SBXCrossover(eta=3),
            mutation=PolynomialMutation(eta=5),
            dividing_parameter=divisions(len(self.spec.objectives), self.size),
        )


def _distribution(values: Range | Choices) -> BaseDistribution:
    """A field's axis; of choices their places, in order where the choices are numbers in order.

    Many whole numbers are a continuous axis, rounded later: Optuna's Gaussian process tries whole
    numbers one by one, which takes it ten times as long.
    """
    if isinstance(values, Range):
        low, high = axis_ends(values)
        return FloatDistribution(low, high, log=values.scale == "log")
    if all(type(v) in (int, float) for v in values) and list(values) == sorted(values):
        return IntDistribution(0, len(values) - 1)
    return CategoricalDistribution(range(len(values)))


def _value(values: Range | Choices, number: Any) -> Any:
    return fitted(values, number) if isinstance(values, Range) else values[number]


def _number(values: Range | Choices, value: Any) -> Any:
    return value if isinstance(values, Range) else values.index(value)
