"""The search `adaptive`, designed for fronts of the information bottleneck."""

from collections.abc import Iterator

from scipy.stats import qmc

from paretoib.search._driver import Driver
from paretoib.search._gap_filling import GapFilling
from paretoib.search._planned import PlannedDriver
from paretoib.search._space import Space
from paretoib.specs import SweepSpec, TrialSpec


def adaptive(spec: SweepSpec) -> Driver:
    """`GapFilling` if a range of the space moves trials along the front, or `LatinHypercube`."""
    return GapFilling(spec) if spec.gap_field else LatinHypercube(spec)


class LatinHypercube(PlannedDriver):
    """Draws settings from a Latin hypercube, so that the values of each field are covered evenly.

    The point that an exact min-norm method reaches depends on its initialisation and on the length
    of training. So the default space varies the initialisation, the epochs and the weighting's
    per-trial hyperparameters, such as μ and `sqrted`. The hypercube is drawn with the first
    seed. All seeds train the same settings, so that the fronts of single seeds can be compared.
    """

    def plan(self) -> Iterator[TrialSpec]:
        spec, space = self.spec, Space(self.spec.varied)
        cube = qmc.LatinHypercube(len(space), rng=spec.seeds[0])
        for point in cube.random(spec.trials // len(spec.seeds)).tolist():
            setting = space.setting(point)
            for seed in spec.seeds:
                yield spec.template.with_fields({**setting, "seed": seed})
