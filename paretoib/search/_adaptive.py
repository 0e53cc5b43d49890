"""The search `adaptive`, designed for fronts of the information bottleneck."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import qmc

from paretoib.search._driver import Driver
from paretoib.search._gap_filling import GapFilling
from paretoib.search._planned import PlannedDriver
from paretoib.search._space import Setting, Space
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
    Each extension that adds settings draws a hypercube of its own.
    """

    def plan(self) -> Iterator[TrialSpec]:
        settings: list[Setting] = []
        first = self.spec.seeds[0]
        for number, stage in enumerate(self.spec.stages):
            space = Space(stage.varied)
            rng = np.random.default_rng([first, number] if number else first)
            cube = qmc.LatinHypercube(len(space), rng=rng)
            count = stage.trials // len(stage.seeds) - len(settings)
            settings += [space.setting(point) for point in cube.random(count).tolist()]
            for setting in settings:
                for seed in stage.seeds:
                    yield stage.template.with_fields({**setting, "seed": seed})
