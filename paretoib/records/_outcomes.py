"""What was measured of a trial or a setting, and where it lies on the front and the hull."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from paretoib.documents import Document
from paretoib.records._sweeps import Metrics, TaskMetrics


class Interval(Document):
    """A 95 % confidence interval over seeds."""

    low: float
    high: float


class Measures(Document):
    """The most important metrics of one split, with the meanings and units of `Metrics`."""

    rate_bits: float | None
    rate_lower_bits: float | None
    relevance_bits: float
    lost_bits: float
    accuracy: float | None

    @classmethod
    def of(cls, metrics: Metrics) -> Self:
        """The measures among the metrics of a split."""
        return cls(**{name: getattr(metrics, name) for name in cls.model_fields})


class Outcome(Measures):
    """A trial, or the mean of a setting over seeds, on the test split.

    `accuracy_sampled` to `relevance_se_bits` are further `Metrics`. `params` are the fields in
    which the trials of the sweep differ, without the seed, and the fields of the weighting.
    `seconds` is the training time of a trial. `validation` are the measures on the validation
    split.

    A `supported` outcome lies on the lower-left convex hull of the front: every β in
    `beta_interval` (per bit of rate; an upper end of None is infinity) selects it as the minimum of
    lost + β · rate. An unsupported outcome lies `hull_gap_bits` above the hull.

    `hull_gap_interval` belongs to the setting. The gap of each seed is measured above the chord
    between other settings that the other seeds choose, and the interval is the confidence interval
    of the mean of these gaps. Only an unsupported outcome on the front whose setting has at least
    three seeds has an interval. No β selects the setting if the interval lies above 0; otherwise
    the hull gap may be noise.
    """

    # Not in documents of older versions.
    accuracy_sampled: float | None = None
    accuracy_one_sample: float | None = None
    label_probability: float | None = None
    cross_entropy_bits: float | None = None
    prediction_cross_entropy_bits: float | None = None
    rate_se_bits: float | None = None
    relevance_se_bits: float | None = None
    params: Mapping[str, Any]
    seconds: float = 0.0
    validation: Measures | None = None  # not in documents of older versions
    on_front: bool = False
    supported: bool = False
    beta_interval: tuple[float, float | None] | None = None
    hull_gap_bits: float | None = None
    hull_gap_interval: Interval | None = None  # not in documents of older versions

    @property
    def gap_shown(self) -> bool:
        """Whether the seeds show that the setting lies above the hull."""
        return self.hull_gap_interval is not None and self.hull_gap_interval.low > 0


class Point(Outcome):
    """A trial; its front and hull are those of all trials of the sweep.

    `order` is the trial's position, from 0, in the order in which the sweep's trials ended. `tasks`
    are the metrics of each of several tasks.
    """

    trial: str
    seed: int
    order: int = 0
    tasks: Mapping[str, TaskMetrics] = {}


class Setting(Outcome):
    """The trials that differ only in the seed; its front and hull are those of all settings' means.

    `seeds` are the seeds that have a result, in ascending order, and `trials` the keys of their
    trials. Each measure, also on the validation split, is the mean over `seeds`; `intervals` has
    the 95 % confidence interval of the mean on the test split by Student's t, by the name of the
    measure, for three seeds or more. `failed` counts the setting's trials without a result by
    status. The mean of such a setting says nothing about these seeds.
    """

    seeds: tuple[int, ...]
    trials: tuple[str, ...]
    intervals: Mapping[str, Interval] = {}
    failed: Mapping[str, int] = {}


class FailedTrial(Document):
    """A trial without metrics on the test split, and the reason; a `stopped` trial was pruned."""

    trial: str
    reason: str
    status: Literal["stopped", "diverged", "failed"] = "failed"
    # Not in documents of older versions.
    seed: int | None = None
    params: Mapping[str, Any] = {}
    seconds: float = 0.0
    order: int = 0


MEASURES = (
    *Measures.model_fields,
    *("accuracy_sampled", "accuracy_one_sample", "label_probability"),
    *("cross_entropy_bits", "prediction_cross_entropy_bits"),
    *("rate_se_bits", "relevance_se_bits"),
)
"""The names of the metrics that a point has on the test split."""
