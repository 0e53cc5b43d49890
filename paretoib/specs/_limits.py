"""Limits of a sweep: budgets, pruning, an early end, and the resources of a pack."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field, PositiveFloat, field_validator

from paretoib.documents import Document, preview

Share = Annotated[float, Field(gt=0, lt=1)]
LEAST_SHARE = 0.0001  # of a GPU that Ray counts


class Budget(Document):
    """The most that a sweep may take, beside `trials`; None: no limit."""

    seconds: PositiveFloat | None = Field(None, description="of wall-clock time")
    device_seconds: PositiveFloat | None = Field(
        None, description="that trials train, summed over workers"
    )


class Prune(Document):
    """Trials deep in dominated layers are stopped, as MOASHA does (Schmucker et al. 2021)."""

    rungs: tuple[Share, ...] = Field(
        (0.25, 0.5), min_length=1, description="where trials are compared, as shares of the epochs"
    )
    keep: Share = Field(0.5, description="share that goes on, by non-dominated rank")

    @field_validator("rungs")
    @classmethod
    def _rising(cls, rungs: tuple[float, ...]) -> tuple[float, ...]:
        if any(low >= high for low, high in pairwise(rungs)):
            raise ValueError(f"should rise; found {preview(list(rungs))}")
        return rungs


class Plateau(Document):
    """The sweep ends when hypervolume has not grown by `percent` in the last `trials` trials."""

    percent: float = Field(1.0, gt=0, le=100)
    trials: int = Field(20, ge=1, le=100_000)


class Resources(Document):
    """A pack's share of the cluster. What is left out is as the cluster has it.

    By default a pack has a GPU and a core where there are GPUs, and otherwise a worker's cores.
    """

    gpus: float | None = Field(
        None,
        ge=0,
        le=1,
        description="of a GPU: 0.25 lets four packs share one; 0: CPUs alone, also where there are "
        "GPUs",
    )
    cpus: int | None = Field(None, ge=1, le=1024, description="cores, and threads on a CPU")

    @field_validator("gpus")
    @classmethod
    def _counted(cls, gpus: float | None) -> float | None:
        if gpus and gpus < LEAST_SHARE:
            raise ValueError(f"should be 0, or {LEAST_SHARE} or more; found {gpus}")
        return gpus
