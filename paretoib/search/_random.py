"""Settings drawn at random from the sweep's space."""

from collections.abc import Iterable, Iterator

import numpy as np

from paretoib.errors import SpecError
from paretoib.search._generations import GenerationalDriver, Generations
from paretoib.search._space import Setting, Space
from paretoib.specs import SweepSpec, TrialSpec

ATTEMPTS = 1000  # draws in a row without anything new, after which there is nothing new


class Random(GenerationalDriver):
    """As many settings as the sweep has trials, uniformly from the space, in one generation.

    Settings that can be counted are drawn without putting them back, so that a sweep may have them
    all. Trials have the sweep's seeds in turn; a setting that comes again has the next seed that
    it has not had.
    """

    def __init__(self, spec: SweepSpec) -> None:
        self.space = Space(spec.varied)
        self._draws = self.space.draws(np.random.default_rng(spec.seeds[0]), len(spec.seeds))
        super().__init__(spec)

    def generations(self) -> Generations:
        yield self.fresh(self.spec.trials)

    def fresh(self, count: int) -> list[TrialSpec]:
        """Up to `count` trials at random that were not proposed before, while there are any."""
        found: dict[str, TrialSpec] = {}
        barren = 0
        for trial in self.trials(self._draws):
            if trial is None or self.is_known(trial) or trial.key in found:
                barren += 1
            else:
                found[trial.key] = trial
                barren = 0
            if len(found) == count or barren == ATTEMPTS:
                break
        return list(found.values())

    def trials(self, settings: Iterable[Setting]) -> Iterator[TrialSpec | None]:
        """The trial of each setting, within one generation; None where no trial can have it."""
        new: set[str] = set()
        for setting in settings:
            trial = self._trial(setting, new)
            if trial is not None and not self.is_known(trial):
                new.add(trial.key)
            yield trial

    def _trial(self, setting: Setting, new: set[str]) -> TrialSpec | None:
        seeds = self.spec.seeds
        turn = (len(self._proposed) + len(new)) % len(seeds)
        trial = None
        for seed in (*seeds[turn:], *seeds[:turn]):
            try:
                trial = self.spec.template.with_fields({**setting, "seed": seed})
            except SpecError:
                return None
            if not self.is_known(trial) and trial.key not in new:
                break
        return trial
