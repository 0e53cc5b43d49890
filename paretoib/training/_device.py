"""What a device can train."""

from paretoib.errors import SpecError
from paretoib.specs import Training


def check_precision(training: Training, device: str) -> None:
    """`SpecError` for mixed precision on a device (such as `cpu`, `cuda:0`) other than CUDA."""
    if training.precision == "bf16" and device.partition(":")[0] != "cuda":
        raise SpecError(f"training.precision: bf16 needs a CUDA device; found {device}")
