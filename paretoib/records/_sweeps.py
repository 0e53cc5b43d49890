"""Trials and sweeps: metrics, records of ended trials, the state of a sweep."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import Field

from paretoib.documents import Document

Status = Literal["running", "finished", "cancelled", "interrupted", "failed"]
RESUMABLE: tuple[Status, ...] = ("cancelled", "interrupted", "failed")


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
      E[−log 1/S Σ_s q(y|z_s)]: the negative log-likelihood of the whole network (imb eq. 8). The
      estimate is too large on average and falls with more samples, but it is at most
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
    leave out an `archived` sweep. Users write the `note` and the `tags`. `mlflow_url` is the page
    of the sweep in MLflow's UI, None if users cannot reach the UI.
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
    note: str = ""
    tags: Mapping[str, str] = {}
    mlflow_url: str | None = None

    @property
    def info(self) -> SweepInfo:
        """The part of the state that fronts and comparisons contain."""
        return SweepInfo(**{name: getattr(self, name) for name in SweepInfo.model_fields})

    def has_tags(self, tags: Mapping[str, str | None]) -> bool:
        """Whether the sweep has all these tags; None stands for any value."""
        return all(n in self.tags and v in (None, self.tags[n]) for n, v in tags.items())

    @property
    def extension_lines(self) -> list[str]:
        """A line for each extension of the sweep: when, and from how many trials to how many."""
        history = self.spec.get("extensions", ())
        totals = [*(entry["before"]["trials"] for entry in history), self.spec["trials"]]
        return [
            f"extended on {datetime.fromisoformat(entry['at']):%Y-%m-%d %H:%M} UTC, "
            f"from {before} to {after} trials"
            for entry, (before, after) in zip(history, pairwise(totals), strict=True)
        ]

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
