"""Random search in the sweep's space."""

from collections.abc import Iterable, Iterator

import numpy as np

from paretoib.errors import SpecError
from paretoib.search._generations import GenerationalDriver, Generations
from paretoib.search._space import Setting, Space
from paretoib.specs import SweepSpec, TrialSpec

MAX_REPEATS = 1000  # the search is over after this many draws in a row without a new trial


class Random(GenerationalDriver):
    """Draws `spec.trials` settings uniformly from the space, in one generation.

    The settings come from `Space.draws`, which goes through a small finite space once for each
    seed. The trials take the seeds in turn; a repeated setting takes the next seed that is new for
    this setting.
    """

    def __init__(self, spec: SweepSpec) -> None:
        self.space = Space(spec.varied)
        self._draws = self.space.draws(np.random.default_rng(spec.seeds[0]), len(spec.seeds))
        super().__init__(spec)

    def generations(self) -> Generations:
        yield self.new_trials(self.spec.trials)

    def new_trials(self, count: int) -> list[TrialSpec]:
        """Up to `count` random trials that were not proposed before; fewer if no more are found."""
        new: dict[str, TrialSpec] = {}
        repeats = 0
        for trial in self.trials(self._draws):
            if trial is None or self.is_known(trial) or trial.key in new:
                repeats += 1
            else:
                new[trial.key] = trial
                repeats = 0
            if len(new) == count or repeats == MAX_REPEATS:
                break
        return list(new.values())

    def trials(self, settings: Iterable[Setting]) -> Iterator[TrialSpec | None]:
        """The trial of each setting in one generation; None if the setting is not valid."""
        new_keys: set[str] = set()
        for setting in settings:
            trial = self._trial(setting, new_keys)
            if trial is not None and not self.is_known(trial):
                new_keys.add(trial.key)
            yield trial

    def _trial(self, setting: Setting, new_keys: set[str]) -> TrialSpec | None:
        seeds = self.spec.seeds
        turn = (len(self._proposed) + len(new_keys)) % len(seeds)
        trial = None
        for seed in (*seeds[turn:], *seeds[:turn]):
            try:
                trial = self.spec.template.with_fields({**setting, "seed": seed})
            except SpecError:
                return None
            if not self.is_known(trial) and trial.key not in new_keys:
                break
        return trial
