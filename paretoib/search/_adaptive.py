"""The search `adaptive`, designed for fronts of the information bottleneck."""

from collections.abc import Iterator

from scipy.stats import qmc

from paretoib.search._by_beta import ByBeta
from paretoib.search._driver import Driver
from paretoib.search._planned import PlannedDriver
from paretoib.search._space import Space
from paretoib.specs import SweepSpec, TrialSpec


def adaptive(spec: SweepSpec) -> Driver:
    """The driver for the sweep's weighting: `ByBeta` if it has a β to vary, else `Spread`."""
    return ByBeta(spec) if spec.by_beta else Spread(spec)


class Spread(PlannedDriver):
    """Many starting points and settings for an adaptive weighting, spread evenly.

    The final point of a min-norm method depends on its starting point and on the length of
    training. So these vary: seed, initial scale of weights and of noise, training length, and μ
    and sqrted if the weighting has them. The settings are a Latin hypercube, drawn with the first
    seed, which covers each field evenly. All seeds have the same settings, so that fronts of
    single seeds can be compared.
    """

    def plan(self) -> Iterator[TrialSpec]:
        spec, space = self.spec, Space(self.spec.varied)
        cube = qmc.LatinHypercube(len(space), rng=spec.seeds[0])
        for point in cube.random(spec.trials // len(spec.seeds)).tolist():
            setting = space.setting(point)
            for seed in spec.seeds:
                yield spec.template.with_fields({**setting, "seed": seed})
