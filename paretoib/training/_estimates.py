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

    `accuracy` is measured at the mean z, `accuracy_sampled` from the mean of q(y|z) over samples of
    z. `ceiling` is the largest possible relevance.
    """

    ceiling: float
    relevance: Tensor
    cross_entropy: Tensor
    accuracy: Tensor
    accuracy_sampled: Tensor


@dataclass(frozen=True)
class Estimates:
    """Estimates of M trials on one split, (M,) each; information is in nats.

    Relevance, cross-entropy and ceiling are sums over tasks, accuracies are means over tasks. Rates
    are NaN for an encoder without noise, accuracies are NaN for a continuous Y. Rates are measured
    on the first `RATE_INPUTS` examples. `tasks` holds the estimates of each named task.
    """

    rate: Tensor
    rate_lower: Tensor
    rate_error: Tensor
    relevance: Tensor
    relevance_error: Tensor
    cross_entropy: Tensor
    accuracy: Tensor
    accuracy_sampled: Tensor
    ceiling: float
    tasks: Mapping[str, TaskEstimates] = field(default_factory=dict)

    @classmethod
    def from_tasks(
        cls,
        rate: tuple[Tensor, Tensor, Tensor],
        relevance_error: Tensor,
        tasks: Sequence[TaskEstimates],
        names: Sequence[str],
    ) -> Self:
        """Combine the rate (upper bound, lower bound, standard error) and the tasks' estimates.

        `names` is empty if Y is a single task.
        """
        return cls(
            *rate,
            torch.stack([task.relevance for task in tasks]).sum(0),
            relevance_error,
            torch.stack([task.cross_entropy for task in tasks]).sum(0),
            torch.stack([task.accuracy for task in tasks]).mean(0),
            torch.stack([task.accuracy_sampled for task in tasks]).mean(0),
            sum(task.ceiling for task in tasks),
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
            "accuracy": number(source.accuracy),
            "accuracy_sampled": number(source.accuracy_sampled),
        }

    return Metrics.model_validate(
        {
            "examples": examples,
            "rate_bits": bits(estimates.rate),
            "rate_lower_bits": bits(estimates.rate_lower),
            "rate_se_bits": bits(estimates.rate_error),
            "relevance_se_bits": float(estimates.relevance_error[trial]) / math.log(2),
            **fields(estimates),
            "tasks": {name: fields(task) for name, task in estimates.tasks.items()},
        }
    )
