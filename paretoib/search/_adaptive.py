"""The search `adaptive`, designed for fronts of the information bottleneck."""

from collections.abc import Iterator

from scipy.stats import qmc

from paretoib.search._by_beta import ByBeta
from paretoib.search._driver import Driver
from paretoib.search._planned import PlannedDriver
from paretoib.search._space import Space
from paretoib.specs import SweepSpec, TrialSpec


def adaptive(spec: SweepSpec) -> Driver:
    """`ByBeta` if the sweep's space has a range of β, otherwise `LatinHypercube`."""
    return ByBeta(spec) if spec.adapts_beta else LatinHypercube(spec)


class LatinHypercube(PlannedDriver):
    """Draws settings from a Latin hypercube, so that the values of each field are covered evenly.

    The point that a min-norm method reaches depends on its initialisation and on the length of
    training. So the default space varies the initialisation, the epochs and the weighting's
    per-trial hyperparameters, such as MIB's μ and `sqrted`. The hypercube is drawn with the first
    seed. All seeds train the same settings, so that the fronts of single seeds can be compared.
    """

    def plan(self) -> Iterator[TrialSpec]:
        spec, space = self.spec, Space(self.spec.varied)
        cube = qmc.LatinHypercube(len(space), rng=spec.seeds[0])
        for point in cube.random(spec.trials // len(spec.seeds)).tolist():
            setting = space.setting(point)
            for seed in spec.seeds:
                yield spec.template.with_fields({**setting, "seed": seed})
