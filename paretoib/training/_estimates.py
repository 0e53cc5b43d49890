"""Estimates for the trials of a pack on one split, and their conversion to records."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor

from paretoib.records import Metrics


@dataclass(frozen=True)
class TaskEstimates:
    """Estimates of M trials for one task, (M,) each; information is in nats.

    `ceiling` is the largest possible relevance. The other names are those of `Metrics`.
    """

    ceiling: float
    relevance: Tensor
    cross_entropy: Tensor
    prediction_cross_entropy: Tensor
    accuracy: Tensor
    accuracy_sampled: Tensor
    accuracy_one_sample: Tensor
    label_probability: Tensor


@dataclass(frozen=True)
class Estimates:
    """Estimates of M trials on one split, (M,) each; information is in nats.

    Relevance, cross-entropies and ceiling are sums over tasks, accuracies and label probabilities
    are means over tasks. Rates are NaN for an encoder without noise, accuracies and label
    probabilities are NaN for a continuous Y. Rates are measured on the first `RATE_INPUTS`
    examples. `tasks` holds the estimates of each named task.
    """

    rate: Tensor
    rate_lower: Tensor
    rate_error: Tensor
    relevance: Tensor
    relevance_error: Tensor
    cross_entropy: Tensor
    prediction_cross_entropy: Tensor
    accuracy: Tensor
    accuracy_sampled: Tensor
    accuracy_one_sample: Tensor
    label_probability: Tensor
    ceiling: float
    samples: int
    tasks: Mapping[str, TaskEstimates] = field(default_factory=dict)

    @classmethod
    def from_tasks(
        cls,
        rate: tuple[Tensor, Tensor, Tensor],
        relevance_error: Tensor,
        tasks: Sequence[TaskEstimates],
        names: Sequence[str],
        samples: int,
    ) -> Self:
        """Combine the rate (upper bound, lower bound, standard error) and the tasks' estimates.

        `names` is empty if Y is a single task. `samples` is the number of samples of z per input.
        """

        def stacked(name: str) -> Tensor:
            return torch.stack([getattr(task, name) for task in tasks])

        return cls(
            *rate,
            stacked("relevance").sum(0),
            relevance_error,
            stacked("cross_entropy").sum(0),
            stacked("prediction_cross_entropy").sum(0),
            stacked("accuracy").mean(0),
            stacked("accuracy_sampled").mean(0),
            stacked("accuracy_one_sample").mean(0),
            stacked("label_probability").mean(0),
            sum(task.ceiling for task in tasks),
            samples,
            dict(zip(names, tasks, strict=False)),
        )


def to_metrics(estimates: Estimates, trial: int, examples: int) -> Metrics:
    """The estimates of the trial with index `trial` as `Metrics`, in bits."""

    def number(values: Tensor, unit: float = 1.0) -> float | None:
        value = float(values[trial]) / unit
        return value if math.isfinite(value) else None

    def bits(values: Tensor) -> float | None:
        return number(values, math.log(2))

    def fields(source: Estimates | TaskEstimates) -> dict[str, float | None]:
        relevance = float(source.relevance[trial]) / math.log(2)
        return {
            "relevance_bits": relevance,
            "ceiling_bits": source.ceiling / math.log(2),
            "lost_bits": max(0.0, source.ceiling / math.log(2) - relevance),
            "cross_entropy_bits": float(source.cross_entropy[trial]) / math.log(2),
            "prediction_cross_entropy_bits": bits(source.prediction_cross_entropy),
            "accuracy": number(source.accuracy),
            "accuracy_sampled": number(source.accuracy_sampled),
            "accuracy_one_sample": number(source.accuracy_one_sample),
            "label_probability": number(source.label_probability),
        }

    return Metrics.model_validate(
        {
            "examples": examples,
            "rate_bits": bits(estimates.rate),
            "rate_lower_bits": bits(estimates.rate_lower),
            "rate_se_bits": bits(estimates.rate_error),
            "relevance_se_bits": float(estimates.relevance_error[trial]) / math.log(2),
            **fields(estimates),
            "samples": estimates.samples,
            "tasks": {name: fields(task) for name, task in estimates.tasks.items()},
        }
    )
