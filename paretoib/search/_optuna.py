"""Optuna's samplers, with studies in memory. https://optuna.org; Akiba et al. 2019."""

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
from paretoib.search._sequential import Proposals, SequentialDriver
from paretoib.search._space import Setting, axis_ends, round_to_range
from paretoib.search._values import Values
from paretoib.specs import Choices, Range

# Hide Optuna's log, because a sweep shows its own progress.
optuna.logging.set_verbosity(optuna.logging.CRITICAL)


class OptunaDriver(SequentialDriver):
    """Asks a study for a generation of trials, then tells the study their objective values."""

    @abstractmethod
    def sampler(self, seed: int) -> BaseSampler:
        """The sampler of the study; it does not choose the first `size` trials."""

    def propose(self, first: Sequence[Setting], values: list[Values]) -> Proposals:
        with warnings.catch_warnings(category=ExperimentalWarning, action="ignore"):
            sampler = self.sampler(self.spec.seeds[0])
        study = optuna.create_study(
            sampler=sampler, directions=["minimize"] * len(self.spec.objectives)
        )
        fields = self.space.fields
        distributions = {field: _distribution(values) for field, values in fields.items()}
        for setting, value in zip(first, values, strict=True):
            study.enqueue_trial({f: _to_optuna(fields[f], v) for f, v in setting.items()})
            trial = study.ask(distributions)
            # Genetic samplers add a trial to their population when this property is read.
            _ = trial.relative_params
            study.tell(trial, value)
        while True:
            trials = [study.ask(distributions) for _ in range(self.size)]
            values = yield [
                {f: _from_optuna(fields[f], number) for f, number in trial.params.items()}
                for trial in trials
            ]
            for trial, value in zip(trials, values, strict=True):
                study.tell(trial, value)


class TPE(OptunaDriver):
    """Multi-objective TPE (Ozaki et al. 2022), with separate densities for each field."""

    def sampler(self, seed: int) -> BaseSampler:
        return TPESampler(seed=seed, n_startup_trials=self.size)


class GP(OptunaDriver):
    """A Gaussian process for each search objective, with log expected hypervolume improvement.

    Ament et al. 2023. It suits few trials, because its computing time grows with the cube of the
    number of trials.
    """

    def sampler(self, seed: int) -> BaseSampler:
        return GPSampler(seed=seed, n_startup_trials=self.size)


class NSGA2(OptunaDriver):
    """NSGA-II (Deb et al. 2002), with its published operators instead of Optuna's.

    Optuna's operators exchange whole fields or draw them again. With one field, these operators
    amount to a random search. The distribution index η is smaller than published, for wider steps,
    because a sweep has few generations.
    """

    def sampler(self, seed: int) -> BaseSampler:
        return NSGAIISampler(
            seed=seed,
            population_size=self.size,
            crossover=SBXCrossover(eta=3),
            mutation=PolynomialMutation(eta=5),
        )


class NSGA3(OptunaDriver):
    """NSGA-III (Deb and Jain 2014), with operators as in `NSGA2`.

    The number of reference directions is at most the number of trials in a generation, but at least
    the number of search objectives.
    """

    def sampler(self, seed: int) -> BaseSampler:
        return NSGAIIISampler(
            seed=seed,
            population_size=self.size,
            crossover=SBXCrossover(eta=3),
            mutation=PolynomialMutation(eta=5),
            dividing_parameter=divisions(len(self.spec.objectives), self.size),
        )


def _distribution(values: Range | Choices) -> BaseDistribution:
    """Optuna's distribution for a field: numbers of a range, or indices of choices.

    The indices are ordered if the choices are sorted numbers. A range of whole numbers is a
    continuous distribution, rounded later: Optuna's Gaussian process tries whole numbers one by
    one, which takes ten times as long.
    """
    if isinstance(values, Range):
        low, high = axis_ends(values)
        return FloatDistribution(low, high, log=values.scale == "log")
    if all(type(v) in (int, float) for v in values) and list(values) == sorted(values):
        return IntDistribution(0, len(values) - 1)
    return CategoricalDistribution(range(len(values)))


def _from_optuna(values: Range | Choices, number: Any) -> Any:
    return round_to_range(values, number) if isinstance(values, Range) else values[number]


def _to_optuna(values: Range | Choices, value: Any) -> Any:
    return value if isinstance(values, Range) else values.index(value)
