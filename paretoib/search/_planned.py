"""Drivers whose trials are all known beforehand."""

from abc import abstractmethod
from collections.abc import Iterator
from itertools import product
from types import MappingProxyType
from typing import Any

from scipy.stats import qmc

from paretoib.errors import SpecError
from paretoib.records import TrialRecord
from paretoib.search._driver import Driver
from paretoib.specs import ADAPTIVE_FIELDS, SweepSpec, TrialSpec


class PlannedDriver(Driver):
    """Proposes the trials of `plan` in order, less those that were told."""

    def __init__(self, spec: SweepSpec) -> None:
        super().__init__(spec)
        # A dict for its order: trials that the plan repeats are proposed once.
        self._waiting = {trial.key: trial for trial in self.plan()}
        if len(self._waiting) < spec.trials:
            raise SpecError(
                f"trials: should be at most {len(self._waiting)}, as so few of the search's "
                f"settings differ; found {spec.trials}"
            )

    @abstractmethod
    def plan(self) -> Iterator[TrialSpec]:
        """All trials of the sweep."""

    def ask(self, count: int) -> list[TrialSpec]:
        keys = list(self._waiting)[:count]
        return [self._waiting.pop(key) for key in keys]

    def tell(self, record: TrialRecord) -> None:
        self._waiting.pop(record.trial, None)

    @property
    def done(self) -> bool:
        return not self._waiting


class Grid(PlannedDriver):
    """Every combination of the axes, for every seed."""

    def plan(self) -> Iterator[TrialSpec]:
        axes = self.spec.grid
        for seed in self.spec.seeds:
            for values in product(*axes.values()):
                yield self.spec.template.with_fields(
                    {**dict(zip(axes, values, strict=True)), "seed": seed}
                )


class Adaptive(PlannedDriver):
    """Many starts and settings of an adaptive weighting, spread evenly.

    Where a min-norm method stops on the front depends on where it starts and how long it goes
    on, so that is what differs: seed, initial scale of weights and of noise, training length,
    and where the weighting has them μ and sqrted. The settings are a Latin hypercube (drawn with
    the first seed): each field alone is covered evenly, whatever their number. Every seed has the
    same settings, so that fronts of one seed can be compared. A `grid` in the spec gives a field
    the values to choose from instead.
    """

    # Ends of the logarithmic ranges; noise from Alemi et al.'s start to that of the prior.
    _RANGES = MappingProxyType(
        {
            "model.initial_scale": (0.1, 2.0),
            "model.initial_noise": (0.0067, 1.0),
            "weighting.mu": (0.02, 20.0),
        }
    )
    _LENGTHS = (0.25, 0.5, 1.0)

    def plan(self) -> Iterator[TrialSpec]:
        spec, template = self.spec, self.spec.template
        present = {**spec.model.params, **spec.weighting.params}
        names = [name for name in ADAPTIVE_FIELDS if name in present]
        fields = [template.resolve(name) for name in (*names, "epochs")]
        fields += [field for field in spec.grid if field not in fields]
        cube = qmc.LatinHypercube(len(fields), rng=spec.seeds[0])
        for point in cube.random(spec.trials // len(spec.seeds)):
            values = (self._value(f, float(u)) for f, u in zip(fields, point, strict=True))
            setting = dict(zip(fields, values, strict=True))
            for seed in spec.seeds:
                yield template.with_fields({**setting, "seed": seed})

    def _value(self, field: str, u: float) -> Any:
        if field in self.spec.grid:
            values = self.spec.grid[field]
            return values[int(u * len(values))]
        if field in self._RANGES:
            low, high = self._RANGES[field]
            return float(f"{low * (high / low) ** u:.4g}")
        if field == "weighting.sqrted":
            return int(u * 2)
        share = self._LENGTHS[int(u * len(self._LENGTHS))]
        return max(1, round(self.spec.training.epochs * share))
