"""What the ruler says of a pack's trials on a split, and that as records."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor

from paretoib.records import Metrics


@dataclass(frozen=True)
class TaskEstimates:
    """Of M trials, in nats, (M,) each; `ceiling` is the task's own."""

    ceiling: float
    relevance: Tensor
    cross_entropy: Tensor
    accuracy: Tensor
    accuracy_sampled: Tensor


@dataclass(frozen=True)
class Estimates:
    """Of M trials on one split, in nats, (M,) each: sums over tasks, and means of accuracies.

    Rates are NaN for an encoder without noise, accuracies for a continuous Y. The rates are those
    of the first `RATE_INPUTS` examples. `tasks` are those that have names.
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
    def summed(
        cls,
        rate: tuple[Tensor, Tensor, Tensor],
        relevance_error: Tensor,
        each: Sequence[TaskEstimates],
        names: Sequence[str],
    ) -> Self:
        """From the rate, its lower end and its error, and each task's own."""
        return cls(
            *rate,
            torch.stack([task.relevance for task in each]).sum(0),
            relevance_error,
            torch.stack([task.cross_entropy for task in each]).sum(0),
            torch.stack([task.accuracy for task in each]).mean(0),
            torch.stack([task.accuracy_sampled for task in each]).mean(0),
            sum(task.ceiling for task in each),
            dict(zip(names, each, strict=False)),
        )


def to_metrics(estimates: Estimates, trial: int, examples: int) -> Metrics:
    """One trial's numbers as a record, in bits."""

    def number(values: Tensor, unit: float = 1.0) -> float | None:
        value = float(values[trial]) / unit
        return value if math.isfinite(value) else None

    def bits(values: Tensor) -> float | None:
        return number(values, math.log(2))

    def told(of: Estimates | TaskEstimates) -> dict[str, float | None]:
        relevance = float(of.relevance[trial]) / math.log(2)
        return {
            "relevance_bits": relevance,
            "ceiling_bits": of.ceiling / math.log(2),
            "lost_bits": max(0.0, of.ceiling / math.log(2) - relevance),
            "cross_entropy_bits": float(of.cross_entropy[trial]) / math.log(2),
            "accuracy": number(of.accuracy),
            "accuracy_sampled": number(of.accuracy_sampled),
        }

    return Metrics.model_validate(
        {
            "examples": examples,
            "rate_bits": bits(estimates.rate),
            "rate_lower_bits": bits(estimates.rate_lower),
            "rate_se_bits": bits(estimates.rate_error),
            "relevance_se_bits": float(estimates.relevance_error[trial]) / math.log(2),
            **told(estimates),
            "tasks": {name: told(task) for name, task in estimates.tasks.items()},
        }
    )
