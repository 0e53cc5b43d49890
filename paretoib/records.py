"""What a sweep leaves behind: frozen results, JSON and YAML in and out. All information is in bits.

Documents carry their `schema` number. A number that does not exist (the rate of a noiseless
encoder) is None, never NaN or infinity.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field

from paretoib.documents import Document

Status = Literal["running", "finished", "interrupted", "failed"]
Side = Literal["left", "right"]


class TaskMetrics(Document):
    """One task of several, as in `Metrics`."""

    relevance_bits: float
    ceiling_bits: float
    lost_bits: float
    cross_entropy_bits: float
    accuracy: float | None = None
    accuracy_sampled: float | None = None


class Metrics(Document):
    """One trained model on one split, measured by the ruler of `paretoib.evaluation`.

    `rate_bits` is the upper end of the sandwich around I(X;Z) and the front's coordinate,
    `rate_lower_bits` the lower end; both None where the encoder has no noise. `relevance_bits`
    is a lower bound on I(Y;Z), `ceiling_bits` the most that it could be (H(Y) of the split, or
    I(X;Y)), `lost_bits` their difference. `…_se_bits` are standard errors. `accuracy` is that of
    the mean latent, `accuracy_sampled` that of 12 averaged samples; None where Y is continuous.
    Where Y is several `tasks`, bits are sums over them and accuracies means.
    """

    examples: int
    rate_bits: float | None
    rate_lower_bits: float | None
    rate_se_bits: float | None
    relevance_bits: float
    relevance_se_bits: float
    ceiling_bits: float
    lost_bits: float
    cross_entropy_bits: float
    accuracy: float | None = None
    accuracy_sampled: float | None = None
    tasks: Mapping[str, TaskMetrics] = {}


class TrialRecord(Document):
    """One trial: what was asked (`spec`, a TrialSpec's JSON), how it ended, what it measured.

    `trial` is the hash of the spec. A `diverged` or `failed` trial has a `reason` and no metrics,
    and so has a `stopped` one, which was doing too badly at a rung to be trained to its end.
    `history` holds one value an epoch under each name; None where it was not finite. `seconds`
    is this trial's share of its pack's time.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    trial: str
    spec: Mapping[str, Any]
    status: Literal["finished", "stopped", "diverged", "failed"]
    reason: str | None = None
    validation: Metrics | None = None
    test: Metrics | None = None
    history: Mapping[str, tuple[float | None, ...]] = {}
    seconds: float = 0.0
    device: str = ""
    pack: int = 1


class Reference(Document):
    """The corner that hypervolumes are measured from; fixed when a sweep starts."""

    rate_bits: float = Field(gt=0)
    lost_bits: float = Field(gt=0)


class SweepInfo(Document):
    """A sweep as the store knows it; `spec` is its SweepSpec's JSON."""

    id: str
    name: str
    method: str
    dataset: str
    status: Status
    spec: Mapping[str, Any]


class Progress(Document):
    """How a sweep stands: trials in all, and finished, stopped early and failed so far.

    `hypervolume` is in bits²; `ended` says why a sweep ends before its last trial, where that is
    known.
    """

    sweep: SweepInfo
    trials: int
    finished: int
    stopped: int
    failed: int
    hypervolume: float
    ended: str | None = None

    @classmethod
    def of(
        cls,
        sweep: SweepInfo,
        records: Sequence[TrialRecord],
        hypervolume: float,
        ended: str | None = None,
    ) -> Self:
        """That of a sweep with these ended trials."""
        counts = Counter(record.status for record in records)
        return cls(
            sweep=sweep,
            trials=sweep.spec["trials"],
            finished=counts["finished"],
            stopped=counts["stopped"],
            failed=counts["failed"] + counts["diverged"],
            hypervolume=hypervolume,
            ended=ended,
        )

    @property
    def over(self) -> int:
        """The trials that have ended, however."""
        return self.finished + self.stopped + self.failed


class Cost(Document):
    """What was spent: trials run and the seconds that they trained, summed over workers."""

    trials: int
    seconds: float


class ExactCurve(Document):
    """An exact IB curve to draw beside a front; rate ascending."""

    label: str
    rate_bits: tuple[float, ...]
    lost_bits: tuple[float, ...]


class Point(Document):
    """One trial on the plane of rate and lost bits (test split).

    `supported` points lie on the lower-left convex hull of the front, and some β in
    `beta_interval` (β per bit of rate, for lost + β · rate; None: no upper end) selects them.
    An unsupported one lies `hull_gap_bits` above the hull: no β selects it. `order` is the place
    in which the trial ended within its sweep, `seconds` what it cost.
    """

    trial: str
    params: Mapping[str, Any]
    seed: int
    rate_bits: float | None
    rate_lower_bits: float | None
    relevance_bits: float
    lost_bits: float
    accuracy: float | None
    seconds: float = 0.0
    order: int = 0
    on_front: bool = False
    supported: bool = False
    beta_interval: tuple[float, float | None] | None = None
    hull_gap_bits: float | None = None


class FailedTrial(Document):
    """A trial without a point, and why; `stopped` early, as others were ahead of it, or no good."""

    trial: str
    reason: str
    status: Literal["stopped", "diverged", "failed"] = "failed"
    seed: int | None = None  # None in documents of before it was kept


class Front(Document):
    """All trials of a sweep and the front among them; the document of `front --json`."""

    schema_version: Literal[1] = Field(1, alias="schema")
    sweep: SweepInfo
    split: Literal["test"] = "test"
    reference: Reference
    label_entropy_bits: float
    hypervolume: float
    cost: Cost
    points: tuple[Point, ...]
    failed: tuple[FailedTrial, ...] = ()
    exact: ExactCurve | None = None

    def __str__(self) -> str:
        on_front = sum(point.on_front for point in self.points)
        return (
            f"{self.sweep.name} ({self.sweep.id[:8]}), {self.sweep.status}: {on_front} of "
            f"{self.cost.trials} trials on the front, hypervolume {self.hypervolume:.4g} bits²"
        )

    def __repr__(self) -> str:
        return f"<Front {self}>"


class Sides(Document):
    """One number for each side of a comparison; None where it could not be had."""

    left: float | None
    right: float | None


class Interval(Document):
    """A bootstrap interval (95 %) over seeds."""

    low: float
    high: float


class Indicators(Document):
    """Both sides' quality. Hypervolume and coverage: more is better; ε and IGD+: less.

    `epsilon.left` is the additive ε by which the left front must be shifted to weakly dominate
    the right one; `coverage.left` the share of right points that left ones dominate or equal.
    `igd_plus` is measured against the front of the union. `p_value` is Mann-Whitney's on per-seed
    hypervolumes, `intervals` are bootstrapped over seeds; None with too few seeds.
    `attainment_difference` is the largest difference of the two empirical attainment functions.
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


class ComparisonSide(Document):
    """The sweeps of one side, pooled."""

    label: str
    sweeps: tuple[SweepInfo, ...]
    seeds: tuple[int, ...]
    on_front: int
    unsupported: int


class ComparedPoint(Point):
    """A point within a comparison; hull and support are those of its own side's front.

    `dominated_by_other` says whether the other side dominates it, `dominated_bits` by how much:
    the smallest shift of the point in both coordinates that would free it (0 where it is free).
    """

    side: Side
    sweep: str
    dominated_by_other: bool
    dominated_bits: float


class SidedCost(Document):
    """The cost of each side."""

    left: Cost
    right: Cost


class Comparison(Document):
    """Two sets of fronts on one ruler; the document of `compare --json`."""

    schema_version: Literal[1] = Field(1, alias="schema")
    dataset: str
    left: ComparisonSide
    right: ComparisonSide
    reference: Reference
    label_entropy_bits: float
    indicators: Indicators
    points: tuple[ComparedPoint, ...]
    exact: ExactCurve | None
    cost: SidedCost
    verdict: str

    def __str__(self) -> str:
        return self.verdict

    def __repr__(self) -> str:
        return f"<Comparison of {self.left.label} and {self.right.label}: {self.verdict}>"
