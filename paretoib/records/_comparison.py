"""Comparisons of two sides of sweeps."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from paretoib.documents import Document
from paretoib.records._front import Cost, ExactCurve, HypervolumeCurve, ReferencePoint
from paretoib.records._outcomes import Interval, Point, Setting
from paretoib.records._rows import Row, RowKind, data_frame, even_rows, setting_rows, trial_rows
from paretoib.records._sweeps import SweepInfo

if TYPE_CHECKING:
    from pandas import DataFrame

Side = Literal["left", "right"]


class Sides(Document):
    """One number for each side of a comparison; None if it cannot be computed."""

    left: float | None
    right: float | None


class FrontDistance(Document):
    """How far the points of a side lie behind the front of the other side, in bits.

    Each value is the mean over the seeds of the side; a negative value means ahead. `epsilon_bits`
    is the shift, equal in both coordinates, that moves a point onto the other front (its additive
    ε). `hull_gap_bits` is the vertical distance of a point above the other hull; it is None if a
    seed has only points with a lower rate than the whole hull. The other front and its hull are
    computed from each setting's mean over seeds. The intervals count only the variation between the
    seeds of this side, and take the other front as exact. An interval is None with fewer than three
    seeds.
    """

    epsilon_bits: float
    epsilon_interval: Interval | None
    hull_gap_bits: float | None
    hull_gap_interval: Interval | None


class Indicators(Document):
    """The quality indicators of both sides.

    More is better for hypervolume and coverage; less is better for ε, IGD+ and the exact gap.
    `epsilon.left` is the additive ε: the smallest shift after which the left front weakly dominates
    the right front. `coverage.left` is the share of the right front's points that a point of the
    left front dominates or equals. `igd_plus` is the mean distance from the common front of both
    sides to the side's front. `exact_gap_bits` is the mean vertical distance of the side's front
    above the exact curve. `attainment_difference` is the largest difference between the two
    empirical attainment functions. `p_value` is the result of the Mann-Whitney U test on the
    hypervolumes of single seeds, which are `seed_hypervolumes`, in the order of the side's seeds.
    `intervals` are bootstrapped over seeds. Attainment difference, p-value and intervals are None
    with too few seeds, and `hypervolume_at_equal_cost` if a side has few trials within that cost.
    `front_distances` are the distances of a side whose weighting has no field that moves along the
    front, if the other side's weighting has one.
    """

    hypervolume: Sides
    hypervolume_ratio: float | None
    hypervolume_at_equal_cost: Sides
    epsilon: Sides
    igd_plus: Sides
    coverage: Sides
    exact_gap_bits: Sides
    attainment_difference: float | None
    p_value: float | None
    intervals: Mapping[str, Interval | None]
    seed_hypervolumes: Mapping[Side, tuple[float, ...]] = {}  # empty in older documents
    front_distances: Mapping[Side, FrontDistance] = {}


class ComparisonSide(Document):
    """The sweeps of one side, pooled.

    `on_front` counts the points of the side's front, and `unsupported` those above its hull.
    `gaps_shown` counts the unsupported points whose gap the seeds show (`Point.gap_shown`); it is
    None if all of these points have too few seeds.
    """

    label: str
    sweeps: tuple[SweepInfo, ...]
    seeds: tuple[int, ...]
    on_front: int
    unsupported: int
    gaps_shown: int | None = None


class ComparedPoint(Point):
    """A point in a comparison; the fields of `Point` are about the front and hull of its own side.

    `dominated_by_other` says whether the other side dominates the point. `dominated_bits` is the
    smallest shift, equal in both coordinates, after which no point of the other side is smaller in
    both.
    """

    side: Side
    sweep: str
    dominated_by_other: bool
    dominated_bits: float


class ComparedSetting(Setting):
    """A setting in a comparison; the fields of `Setting` are about its own side.

    `sweeps` are the sweeps that have a trial of the setting. `dominated_by_other` and
    `dominated_bits` compare the setting with the settings of the other side, as the fields of
    `ComparedPoint` compare trials.
    """

    side: Side
    sweeps: tuple[str, ...]
    dominated_by_other: bool
    dominated_bits: float


class SidedCost(Document):
    """The cost of each side."""

    left: Cost
    right: Cost


class Comparison(Document):
    """A comparison of two sides with one reference point; the document of `compare --json`.

    `points` are the trials of both sides and `settings` their settings. `hypervolume_curves` are
    those of the pooled trials of each side, up to the reference point of the comparison. `where`
    are the conditions that left trials out.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    dataset: str
    left: ComparisonSide
    right: ComparisonSide
    reference: ReferencePoint
    label_entropy_bits: float
    indicators: Indicators
    points: tuple[ComparedPoint, ...]
    exact: ExactCurve | None
    cost: SidedCost
    verdict: str
    # Empty in documents of older versions.
    settings: tuple[ComparedSetting, ...] = ()
    hypervolume_curves: Mapping[Side, HypervolumeCurve] = {}
    where: tuple[str, ...] = ()

    @property
    def replicated(self) -> bool:
        """Whether a setting has results of two seeds or more."""
        return any(len(setting.seeds) > 1 for setting in self.settings)

    def rows(self, kind: RowKind = "trials") -> list[Row]:
        """A table with one row for each trial or setting, as `Front.rows`, with its side.

        Trials without a result have no row.
        """
        names = {s.id: s.name for side in (self.left, self.right) for s in side.sweeps}
        rows = []
        for about, side in ((self.left, "left"), (self.right, "right")):
            if kind == "settings":
                settings = [s for s in self.settings if s.side == side]
                sweeps = [" ".join(names[i] for i in s.sweeps) for s in settings]
                side_rows = setting_rows(settings)
            else:
                points = [p for p in self.points if p.side == side]
                sweeps = [names[p.sweep] for p in points]
                side_rows = trial_rows(points)
            rows += [
                {"side": side, "label": about.label, "sweep": sweep, **row}
                for sweep, row in zip(sweeps, side_rows, strict=True)
            ]
        return even_rows(rows)

    def to_pandas(self, kind: RowKind = "trials") -> "DataFrame":
        """`rows` as a pandas table."""
        return data_frame(self.rows(kind))

    def __str__(self) -> str:
        return self.verdict

    def __repr__(self) -> str:
        return f"<Comparison of {self.left.label} and {self.right.label}: {self.verdict}>"
