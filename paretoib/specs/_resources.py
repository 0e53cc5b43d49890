"""What a pack of trials is placed with. It changes no result, so no trial knows of it."""

from pydantic import Field, field_validator

from paretoib.documents import Document

LEAST_SHARE = 0.0001  # of a GPU that Ray counts


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
