"""Results of trials and sweeps: frozen documents in JSON and YAML. Information is in bits.

Documents carry their `schema` number. A number that does not exist (the rate of a noiseless
encoder) is None, never NaN or infinity.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field, field_validator

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
    """A sweep's identity and status; `spec` is its SweepSpec as JSON.

    `reason` says why the sweep was interrupted, failed, or ended before its last trial.
    """

    id: str
    name: str
    method: str
    dataset: str
    status: Status
    spec: Mapping[str, Any]
    reason: str | None = None


class TrialCounts(Document):
    """How many trials a sweep has in total, and how many ended with each status.

    `failed` includes diverged trials.
    """

    total: int
    finished: int = 0
    stopped: int = 0
    failed: int = 0

    @classmethod
    def of(cls, total: int, records: Iterable[TrialRecord]) -> Self:
        """Count the records of ended trials."""
        by_status = Counter(record.status for record in records)
        return cls(
            total=total,
            finished=by_status["finished"],
            stopped=by_status["stopped"],
            failed=by_status["failed"] + by_status["diverged"],
        )

    @property
    def ended(self) -> int:
        """The number of ended trials, whatever their status."""
        return self.finished + self.stopped + self.failed


class SweepState(SweepInfo):
    """The state of a sweep: the one record that Python, CLI, service and pages show.

    `paretoib.tracking` computes it. `hypervolume` is in bits², None before the first trial has
    ended. `submitted` is when a service last handed the sweep to Ray, `heartbeat` the writer's last
    heartbeat. `mlflow_url` is the sweep's page in MLflow's UI, None where users cannot reach it.
    """

    trials: TrialCounts
    hypervolume: float | None = None
    started: datetime
    ended: datetime | None = None
    submitted: datetime | None = None
    heartbeat: datetime | None = None
    cancel_requested: bool = False
    mlflow_url: str | None = None

    @property
    def info(self) -> SweepInfo:
        """The part that documents of fronts and comparisons hold."""
        return SweepInfo(**{name: getattr(self, name) for name in SweepInfo.model_fields})

    @property
    def begun(self) -> bool:
        """Whether the sweep has had a writer since it was last submitted, if it ever was."""
        if self.heartbeat is None:
            return False
        return self.submitted is None or self.heartbeat >= self.submitted

    @property
    def stale(self) -> bool:
        """Whether the sweep is interrupted because its heartbeat stopped: nobody has closed it."""
        return self.status == "interrupted" and self.ended is None


OnProgress = Callable[[SweepState], None]


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

    @field_validator("sweep", mode="before")
    @classmethod
    def _without_state(cls, sweep: Any) -> Any:
        # Heartbeat, counts and times of a state would be out of date in a document.
        return sweep.info if isinstance(sweep, SweepState) else sweep

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
