"""The front of a sweep."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from paretoib.documents import Document
from paretoib.records._outcomes import FailedTrial, Interval, Point, Setting
from paretoib.records._rows import Row, RowKind, data_frame, setting_rows, trial_rows
from paretoib.records._sweeps import SweepInfo, SweepState

if TYPE_CHECKING:
    from pandas import DataFrame


class ReferencePoint(Document):
    """The reference point of hypervolumes, in bits; fixed when a sweep starts."""

    rate_bits: float = Field(gt=0)
    lost_bits: float = Field(gt=0)


class Cost(Document):
    """The number of trials, and their training time in seconds, summed over workers."""

    trials: int
    seconds: float


class ExactCurve(Document):
    """An exact IB curve, drawn in the picture of a front; the rates ascend."""

    label: str
    rate_bits: tuple[float, ...]
    lost_bits: tuple[float, ...]


class HypervolumeCurve(Document):
    """The hypervolume (bits²) of the front after each trial, in the order in which trials ended.

    `trials` counts the trials that had ended, and `seconds` is their training time, summed; both
    include trials without a result.
    """

    trials: tuple[int, ...]
    seconds: tuple[float, ...]
    hypervolume: tuple[float, ...]


class Replicates(Document):
    """The hypervolumes (bits²) of a front whose settings have several seeds.

    `hypervolume_of_means` is that of the front of the settings' means, and `seed_hypervolumes` are
    those of the fronts of single seeds, in the order of `seeds`. A seed that has diverged trials
    and no point counts with hypervolume 0. `hypervolume_interval` is the bootstrap interval of
    their mean; None with fewer than three seeds.
    """

    seeds: tuple[int, ...]
    hypervolume_of_means: float
    seed_hypervolumes: tuple[float, ...]
    hypervolume_interval: Interval | None = None


class Front(Document):
    """All trials of a sweep; `on_front` marks the non-dominated ones. Printed by `front --json`.

    `points` are the trials with a result and `settings` the trials that differ only in the seed,
    both in ascending order of rate. `hypervolume` is that of all trials together. `replicates` is
    None unless a setting has results of two seeds. `where` are the conditions that left trials out.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    sweep: SweepInfo
    split: Literal["test"] = "test"
    reference: ReferencePoint
    label_entropy_bits: float
    hypervolume: float
    cost: Cost
    points: tuple[Point, ...]
    failed: tuple[FailedTrial, ...] = ()
    exact: ExactCurve | None = None
    # Not in documents of older versions.
    settings: tuple[Setting, ...] = ()
    replicates: Replicates | None = None
    hypervolume_curve: HypervolumeCurve | None = None
    where: tuple[str, ...] = ()

    @field_validator("sweep", mode="before")
    @classmethod
    def _without_state(cls, sweep: Any) -> Any:
        # Heartbeat, counts and times of a state would be out of date in a document.
        return sweep.info if isinstance(sweep, SweepState) else sweep

    @property
    def replicated(self) -> bool:
        """Whether a setting has results of two seeds or more."""
        return self.replicates is not None

    def rows(self, kind: RowKind = "trials") -> list[Row]:
        """A table with one row for each trial or setting, with units in the names of its columns.

        Trials without a result have a row too. Lists are JSON texts.
        """
        if kind == "settings":
            return setting_rows(self.settings)
        rows = trial_rows(self.points, self.failed)
        if self.hypervolume_curve is None:
            return rows
        columns = self.hypervolume_curve
        steps = zip(columns.trials, columns.seconds, columns.hypervolume, strict=True)
        after = {trials - 1: (seconds, volume) for trials, seconds, volume in steps}
        for row in rows:
            row["sweep_seconds"], row["sweep_hypervolume_bits2"] = after[row["order"]]
        return rows

    def to_pandas(self, kind: RowKind = "trials") -> "DataFrame":
        """`rows` as a pandas table."""
        return data_frame(self.rows(kind))

    def __str__(self) -> str:
        sweep = f"{self.sweep.name} ({self.sweep.id[:8]}), {self.sweep.status}"
        if self.replicates is None:
            on_front = sum(point.on_front for point in self.points)
            counts = f"{on_front} of {self.cost.trials} trials on the front"
            return f"{sweep}: {counts}, hypervolume {self.hypervolume:.4g} bits²"
        on_front = sum(setting.on_front for setting in self.settings)
        counts = f"{on_front} of {len(self.settings)} settings on the front of the means"
        volume = self.replicates.hypervolume_of_means
        seeds = f"{len(self.replicates.seeds)} seeds"
        return f"{sweep}: {counts} over {seeds}, hypervolume {volume:.4g} bits²"

    def __repr__(self) -> str:
        return f"<Front {self}>"
