"""Limits of a sweep: budget, pruning, plateau, and the resources of a pack."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field, PositiveFloat, field_validator

from paretoib.documents import Document, preview

Share = Annotated[float, Field(gt=0, lt=1)]
MIN_GPU_SHARE = 0.0001  # Ray counts GPUs in ten-thousandths


class Budget(Document):
    """Limits after which a sweep starts no further trial; None: no limit."""

    seconds: PositiveFloat | None = Field(None, description="wall-clock seconds of the sweep")
    device_seconds: PositiveFloat | None = Field(
        None, description="seconds of training, summed over workers"
    )


class Prune(Document):
    """Stop trials early by non-dominated rank, as MOASHA does (Schmucker et al. 2021)."""

    rungs: tuple[Share, ...] = Field(
        (0.25, 0.5),
        min_length=1,
        description="epochs at which trials are compared, as shares of all epochs",
    )
    keep: Share = Field(0.5, description="share of trials that continue, by non-dominated rank")

    @field_validator("rungs")
    @classmethod
    def _check_order(cls, rungs: tuple[float, ...]) -> tuple[float, ...]:
        if any(low >= high for low, high in pairwise(rungs)):
            raise ValueError(f"should increase; found {preview(list(rungs))}")
        return rungs


class Plateau(Document):
    """End a sweep when hypervolume grew by at most `percent` % over the last `trials` trials."""

    percent: float = Field(
        1.0,
        gt=0,
        le=100,
        description="the sweep ends if its hypervolume grew by at most this many percent",
    )
    trials: int = Field(
        20,
        ge=1,
        le=100_000,
        description="the number of latest trials over which this growth is measured",
    )


class Resources(Document):
    """Resources that Ray reserves for a pack. They are no part of a trial's spec.

    By default a pack gets one GPU and one CPU core if the cluster has GPUs. Otherwise it gets the
    CPU cores divided by `PARETOIB_WORKERS`, or one core if this setting is empty.
    """

    gpus: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of a GPU: with 0.25 four packs share a GPU; 0: CPUs only",
    )
    cpus: int | None = Field(
        None, ge=1, le=1024, description="CPU cores, and threads if the pack trains on the CPU"
    )

    @field_validator("gpus")
    @classmethod
    def _check_share(cls, gpus: float | None) -> float | None:
        if gpus and gpus < MIN_GPU_SHARE:
            raise ValueError(f"should be 0, or {MIN_GPU_SHARE} or more; found {gpus}")
        return gpus
