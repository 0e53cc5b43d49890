"""Results of trials and sweeps: frozen documents in JSON and YAML. Information is in bits.

`schema` is the version of a document's schema. A number that does not exist, such as the rate of a
noiseless encoder, is None, never NaN or infinity.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field, field_validator

from paretoib.documents import Document

Status = Literal["running", "finished", "cancelled", "interrupted", "failed"]
RESUMABLE: tuple[Status, ...] = ("cancelled", "interrupted", "failed")
Side = Literal["left", "right"]


class TaskMetrics(Document):
    """The metrics of one of several tasks, with the meanings and units of `Metrics`."""

    relevance_bits: float
    ceiling_bits: float
    lost_bits: float
    cross_entropy_bits: float
    prediction_cross_entropy_bits: float | None = None  # not in records of older versions
    accuracy: float | None = None
    accuracy_sampled: float | None = None
    accuracy_one_sample: float | None = None  # not in records of older versions
    label_probability: float | None = None  # not in records of older versions


class Metrics(Document):
    """One trained model on one split, measured by `paretoib.evaluation`.

    `rate_bits` is an upper bound on I(X;Z) and a coordinate of the front; `rate_lower_bits` is a
    lower bound. Both are None if the encoder has no noise. `relevance_bits` is a lower bound on
    I(Y;Z). `ceiling_bits` is the largest possible relevance: H(Y) of the split, or I(X;Y) for a
    continuous Y and for noisy labels. `lost_bits` is the ceiling minus the relevance. `…_se_bits`
    are standard errors.

    With S = `samples` samples z_s of the latent for each input (1 if nothing is sampled):

    - `cross_entropy_bits` is the decoder cross-entropy H_Θ[Y|Z], E[−log q(y|z)];
    - `prediction_cross_entropy_bits` is the prediction cross-entropy H_Θ[Y|X] (uib section 5),
      E[−log 1/S Σ_s q(y|z_s)]: the negative log-likelihood of the whole network (imb eq. 8). Its
      estimate is too large on average, the less so the more samples there are, and at most
      `cross_entropy_bits`;
    - `label_probability` is E q(y|z), the mean probability of the true label, which is at least
      e^(−H_Θ[Y|Z]) (uib observation 3);
    - `accuracy` uses the mean latent, `accuracy_sampled` the mean of q(y|z_s) over the samples, and
      `accuracy_one_sample` q(y|z_s) of a single sample, averaged over the samples.

    For categorical codes, sums over the categories replace samples. Accuracies and the label
    probability are None for a continuous Y. With several `tasks`, relevance, ceiling, lost bits and
    cross-entropies are summed over the tasks, accuracies and label probabilities are averaged.
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
    prediction_cross_entropy_bits: float | None = None  # not in records of older versions
    accuracy: float | None = None
    accuracy_sampled: float | None = None
    accuracy_one_sample: float | None = None  # not in records of older versions
    label_probability: float | None = None  # not in records of older versions
    samples: int | None = None  # not in records of older versions
    tasks: Mapping[str, TaskMetrics] = {}


class TrialRecord(Document):
    """An ended trial: its spec (a `TrialSpec` as JSON), its status and its metrics.

    `trial` is the trial key. A `diverged`, `failed` or `stopped` (pruned) trial has a `reason` and
    no metrics. `history` maps the name of a quantity, such as `rate_bits`, to its values, one for
    each epoch; a value that is not finite is None. `pack` is the number of trials in the trial's
    pack, and `seconds` the trial's share of the pack's time.
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


class ModelFile(Document):
    """The model file of a finished trial, which the store may keep.

    `bytes` is the size of the file; for a file that is not kept, the size of its weights. `missing`
    says why the file is not kept; it is None for a file that is kept.
    """

    trial: str
    bytes: int
    missing: str | None = None

    @property
    def kept(self) -> bool:
        """Whether the store has the file."""
        return self.missing is None


class ModelFiles(Document):
    """The model files of a sweep's finished trials, in the order in which the trials ended.

    `limit_mb` is the limit on their total size (the setting `PARETOIB_MODELS_MB`) when the sweep
    last ran. It is None before the sweep has begun, and for sweeps of earlier versions of paretoib,
    which kept no models.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    limit_mb: float | None = None
    files: tuple[ModelFile, ...] = ()

    @property
    def kept(self) -> tuple[ModelFile, ...]:
        """The files that the store has."""
        return tuple(file for file in self.files if file.kept)

    def why_missing(self, record: TrialRecord) -> str | None:
        """Why the model of an ended trial is not kept; None if it is kept."""
        if file := next((file for file in self.files if file.trial == record.trial), None):
            return file.missing
        if record.status != "finished":
            reason = f" ({record.reason})" if record.reason else ""
            return f"only finished trials have models, and this one is {record.status}{reason}"
        return self._why_none or "the sweep kept no models when this trial ended"

    def __str__(self) -> str:
        kept, total = self.kept, len(self.files)
        if not total:
            return f"none kept: {self._why_none or 'no trial has finished'}"
        count = f"{len(kept)} of {total}" if len(kept) < total else str(total)
        size = sum(file.bytes for file in kept) / 1e6
        reasons = Counter(file.missing for file in self.files if file.missing)
        why = f": {reasons.most_common(1)[0][0]}" if reasons else ""
        return f"{count} kept, {size:.3g} MB{why}"

    @property
    def summary(self) -> dict[str, Any]:
        """The limit, the number and the size of the kept files, and why others are missing."""
        return {
            "limit_mb": self.limit_mb,
            "kept": len(self.kept),
            "bytes": sum(file.bytes for file in self.kept),
            "missing": dict(Counter(file.missing for file in self.files if file.missing)),
        }

    @property
    def _why_none(self) -> str | None:
        """Why the sweep kept no models when it last ran; None if it kept them."""
        if self.limit_mb is None:
            return "the sweep has not begun, or ran with a version of paretoib that kept no models"
        return None if self.limit_mb else "the sweep ran with PARETOIB_MODELS_MB=0"


class ReferencePoint(Document):
    """The reference point of hypervolumes, in bits; fixed when a sweep starts."""

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


class Workers(Document):
    """The largest number of packs that a sweep trains at a time; CPUs, GPUs and device of each."""

    count: int
    cpus: int
    gpus: float = 0.0
    device: str

    def __str__(self) -> str:
        cpus = f"{self.cpus} CPU{'s' * (self.cpus != 1)}"
        gpus = f" and {self.gpus:g} GPU{'s' * (self.gpus > 1)}" if self.gpus else ""
        return f"{self.count} worker{'s' * (self.count != 1)} × {cpus}{gpus}"


class PackProgress(Document):
    """How far a pack is: its `trials` have completed `epoch` of `epochs` epochs."""

    trials: int
    epoch: int
    epochs: int


class RunningPacks(Document):
    """The packs that workers train at the moment.

    `count` is the number of packs, and `trials` the number of their trials. `epoch` of `epochs`
    epochs are completed in the pack with the most epochs left. `completed` is the mean share of
    completed epochs over the trials.
    """

    count: int
    trials: int
    epoch: int
    epochs: int
    completed: float

    @classmethod
    def of(cls, packs: Iterable[PackProgress]) -> Self | None:
        """The summary of these packs; None without a pack."""
        if not (packs := [pack for pack in packs if pack.trials]):
            return None
        last = max(packs, key=lambda pack: pack.epochs - pack.epoch)
        trials = sum(pack.trials for pack in packs)
        completed = sum(pack.trials * pack.epoch / pack.epochs for pack in packs) / trials
        return cls(
            count=len(packs),
            trials=trials,
            epoch=last.epoch,
            epochs=last.epochs,
            completed=completed,
        )


class SweepState(SweepInfo):
    """The state of a sweep: the one record that Python, CLI, service and pages show.

    `paretoib.tracking` computes it. `hypervolume` is in bits², None before the first trial has
    ended. `submitted` is the time when a service last handed the sweep to Ray, and `heartbeat` the
    time of the writer's last heartbeat. `workers` are those of the last process that ran the sweep.
    `packs` are the packs that were in training a few seconds ago; None while none is known. Lists
    leave out an `archived` sweep. `mlflow_url` is the sweep's page in MLflow's UI, None if users
    cannot reach the UI.
    """

    trials: TrialCounts
    hypervolume: float | None = None
    started: datetime
    ended: datetime | None = None
    submitted: datetime | None = None
    heartbeat: datetime | None = None
    cancel_requested: bool = False
    workers: Workers | None = None
    packs: RunningPacks | None = None
    archived: bool = False
    mlflow_url: str | None = None

    @property
    def info(self) -> SweepInfo:
        """The part of the state that fronts and comparisons contain."""
        return SweepInfo(**{name: getattr(self, name) for name in SweepInfo.model_fields})

    @property
    def begun(self) -> bool:
        """Whether the sweep has had a writer (since its last submission, if it was submitted)."""
        if self.heartbeat is None:
            return False
        return self.submitted is None or self.heartbeat >= self.submitted

    @property
    def complete(self) -> bool:
        """Whether the sweep is finished and nothing is left to run or to write.

        A finished sweep has a reason if it ended early, or if the store refuses a trial.
        """
        all_ended = self.trials.ended >= self.trials.total
        return self.status == "finished" and self.reason is None and all_ended

    @property
    def stale(self) -> bool:
        """Whether the sweep is interrupted because its heartbeat stopped; no writer closed it."""
        return self.status == "interrupted" and self.ended is None

    @property
    def progress(self) -> float:
        """The number of ended trials, plus the shares of the trials in training."""
        packs = self.packs
        return self.trials.ended + (packs.completed * packs.trials if packs else 0.0)


OnProgress = Callable[[SweepState], None]


class LogPart(Document):
    """A part of a sweep's log. It ends, and the next part starts, at the byte `end` of the log."""

    text: str
    end: int


class Cost(Document):
    """The number of trials, and their training time in seconds, summed over workers."""

    trials: int
    seconds: float


class ExactCurve(Document):
    """An exact IB curve, drawn in the picture of a front; the rates ascend."""

    label: str
    rate_bits: tuple[float, ...]
    lost_bits: tuple[float, ...]


class Interval(Document):
    """A 95 % confidence interval over seeds."""

    low: float
    high: float


class Point(Document):
    """The rate, the lost bits and the accuracies (see `Metrics`) of a trial, on the test split.

    A `supported` point lies on the lower-left convex hull of the front: every β in `beta_interval`
    (per bit of rate; an upper end of None is infinity) selects it as the minimum of
    lost + β · rate. An unsupported point lies `hull_gap_bits` above the hull.

    `hull_gap_interval` belongs to the point's setting. The gap of each seed is measured above the
    chord between other settings that the other seeds choose, and the interval is the confidence
    interval of the mean of these gaps. Only an unsupported point of the front whose setting has at
    least three seeds has an interval. No β selects the setting if the interval lies above 0;
    otherwise the hull gap may be noise.

    `order` is the trial's position, from 0, in the order in which the sweep's trials ended.
    `seconds` is the training time.
    """

    trial: str
    params: Mapping[str, Any]
    seed: int
    rate_bits: float | None
    rate_lower_bits: float | None
    relevance_bits: float
    lost_bits: float
    accuracy: float | None
    accuracy_sampled: float | None = None  # not in documents of older versions
    accuracy_one_sample: float | None = None  # not in documents of older versions
    seconds: float = 0.0
    order: int = 0
    on_front: bool = False
    supported: bool = False
    beta_interval: tuple[float, float | None] | None = None
    hull_gap_bits: float | None = None
    hull_gap_interval: Interval | None = None  # not in documents of older versions

    @property
    def gap_shown(self) -> bool:
        """Whether the seeds show that the point's setting lies above the hull."""
        return self.hull_gap_interval is not None and self.hull_gap_interval.low > 0


class FailedTrial(Document):
    """A trial without metrics on the test split, and the reason; a `stopped` trial was pruned."""

    trial: str
    reason: str
    status: Literal["stopped", "diverged", "failed"] = "failed"
    seed: int | None = None  # None in documents of older versions


class Front(Document):
    """All trials of a sweep; `on_front` marks the non-dominated ones. Printed by `front --json`."""

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


class Importance(Document):
    """How much each varied field, and the seed, matters for each measure of a sweep's trials.

    `shares["lost"]["weighting.beta"]` is the share of the variance of the lost bits, among the
    trials, that β explains. The measures are `rate`, `lost`, `error` and `seconds`; the shares of a
    measure sum to 1. `reason` says why there are no shares. `trials` is the number of trials with a
    finite rate.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    trials: int
    shares: Mapping[str, Mapping[str, float]] = {}
    reason: str | None = None

    @property
    def rows(self) -> list[tuple[str, list[float]]]:
        """Each field with its share of each measure; the most important field comes first."""
        names = dict.fromkeys(name for shares in self.shares.values() for name in shares)
        rows = [(name, [shares[name] for shares in self.shares.values()]) for name in names]
        return sorted(rows, key=lambda row: -max(row[1]))


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


class SidedCost(Document):
    """The cost of each side."""

    left: Cost
    right: Cost


class Comparison(Document):
    """A comparison of two sides with one reference point; the document of `compare --json`."""

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

    def __str__(self) -> str:
        return self.verdict

    def __repr__(self) -> str:
        return f"<Comparison of {self.left.label} and {self.right.label}: {self.verdict}>"
