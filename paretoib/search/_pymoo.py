"""pymoo's evolutionary algorithms. https://pymoo.org; Blank and Deb 2020."""

import warnings
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from pymoo.algorithms.moo import moead, nsga2, nsga3, sms
from pymoo.config import Config
from pymoo.core.algorithm import Algorithm
from pymoo.core.evaluator import Evaluator
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.repair import Repair
from pymoo.core.termination import NoTermination
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.problems.static import StaticProblem
from pymoo.util.ref_dirs import get_reference_directions

from paretoib.search._directions import direction_count, divisions
from paretoib.search._sequential import Proposals, SequentialDriver
from paretoib.search._space import Setting, Space
from paretoib.search._values import Values
from paretoib.specs import SweepSpec

# Hide pymoo's message about missing compiled modules.
Config.warnings["not_compiled"] = False

# Smaller η than pymoo's defaults, for wider steps, because a sweep has few generations.
_OPERATORS = {"crossover": SBX(eta=3, prob=0.9), "mutation": PM(eta=5)}


class PymooDriver(SequentialDriver):
    """Evolves points of the unit cube, one generation at a time."""

    @abstractmethod
    def algorithm(self, **options: Any) -> Algorithm:
        """The algorithm, created with its own options and with `options`."""

    def propose(self, first: Sequence[Setting], values: list[Values]) -> Proposals:
        space = self.space
        problem = Problem(n_var=len(space), n_obj=len(self.spec.objectives), xl=0.0, xu=1.0)
        sampling = Population.new(X=np.array([space.point(setting) for setting in first]))
        _set_values(problem, sampling, values)
        algorithm = self.algorithm(sampling=sampling, repair=_Snap(space), **_OPERATORS)
        algorithm.setup(problem, termination=NoTermination(), seed=self.spec.seeds[0])
        _tell(algorithm, algorithm.ask())  # `ask` returns the first generation without duplicates
        while True:
            offspring = algorithm.ask()
            if offspring is None:  # Mating found no point that differs from the population.
                yield []
                continue
            values = yield [space.setting(point) for point in offspring.get("X").tolist()]
            _set_values(problem, offspring, values)
            _tell(algorithm, offspring)

    def directions(self, max_directions: int) -> np.ndarray:
        """Up to `max_directions` reference directions (Das and Dennis 1998), one in each row.

        There are at least as many directions as search objectives.
        """
        objectives = len(self.spec.objectives)
        directions: np.ndarray = get_reference_directions(
            "das-dennis", objectives, n_partitions=divisions(objectives, max_directions)
        )
        return directions


class NSGA2(PymooDriver):
    """NSGA-II (Deb et al. 2002)."""

    def algorithm(self, **options: Any) -> Algorithm:
        return nsga2.NSGA2(pop_size=self.size, **options)


class NSGA3(PymooDriver):
    """NSGA-III (Deb and Jain 2014).

    A generation has at least as many trials as there are reference directions.
    """

    def generation_size(self, spec: SweepSpec) -> int:
        return max(spec.population, direction_count(len(spec.objectives), spec.population))

    def algorithm(self, **options: Any) -> Algorithm:
        return nsga3.NSGA3(self.directions(self.size), pop_size=self.size, **options)


class MOEAD(PymooDriver):
    """MOEA/D (Zhang and Li 2007); all offspring of a generation are created together.

    The published algorithm creates them one by one, after each measurement, which would leave
    workers idle. A generation has as many trials as there are reference directions.
    """

    def generation_size(self, spec: SweepSpec) -> int:
        return direction_count(len(spec.objectives), spec.population)

    def algorithm(self, **options: Any) -> Algorithm:
        return moead.ParallelMOEAD(self.directions(self.size), **options)


class SMSEMOA(PymooDriver):
    """SMS-EMOA (Beume et al. 2007), with a whole generation of offspring at a time.

    The published algorithm creates a single one, which would leave workers idle.
    """

    def algorithm(self, **options: Any) -> Algorithm:
        return sms.SMSEMOA(pop_size=self.size, **options)


class _Snap(Repair):
    """Moves each point to the position of its setting, so that pymoo recognises duplicates."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self._space = space

    def _do(self, _: Problem, points: np.ndarray, **__: Any) -> np.ndarray:
        space = self._space
        return np.array([space.point(space.setting(point)) for point in points.tolist()])


def _set_values(problem: Problem, points: Population, values: list[Values]) -> None:
    Evaluator().eval(StaticProblem(problem, F=np.array(values)), points)


def _tell(algorithm: Algorithm, points: Population) -> None:
    # NSGA-III changes the warning filters of the process; this restores them.
    with warnings.catch_warnings():
        algorithm.tell(infills=points)
