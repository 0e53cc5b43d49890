"""Searches made for fronts of the information bottleneck: by β, or by starts and settings."""

from collections.abc import Iterator

from scipy.stats import qmc

from paretoib.search._by_beta import ByBeta
from paretoib.search._driver import Driver
from paretoib.search._planned import PlannedDriver
from paretoib.search._space import Space
from paretoib.specs import SweepSpec, TrialSpec


def adaptive(spec: SweepSpec) -> Driver:
    """The search that suits the sweep's weighting."""
    return ByBeta(spec) if spec.by_beta else Spread(spec)


class Spread(PlannedDriver):
    """Many starts and settings of an adaptive weighting, spread evenly.

    Where a min-norm method stops on the front depends on where it starts and how long it goes
    on, so that is what differs: seed, initial scale of weights and of noise, training length,
    and where the weighting has them μ and sqrted. The settings are a Latin hypercube (drawn with
    the first seed): each field alone is covered evenly, whatever their number. Every seed has the
    same settings, so that fronts of one seed can be compared.
    """

    def plan(self) -> Iterator[TrialSpec]:
        spec, space = self.spec, Space(self.spec.varied)
        cube = qmc.LatinHypercube(len(space), rng=spec.seeds[0])
        for point in cube.random(spec.trials // len(spec.seeds)).tolist():
            setting = space.setting(point)
            for seed in spec.seeds:
                yield spec.template.with_fields({**setting, "seed": seed})
