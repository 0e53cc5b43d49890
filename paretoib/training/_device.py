"""A check that a device supports the training precision."""

from paretoib.errors import SpecError
from paretoib.specs import Training


def check_precision(training: Training, device: str) -> None:
    """Check that the device, such as `cpu` or `cuda:0`, supports the training precision.

    Raises:
        SpecError: the precision is bf16 and the device is not CUDA.
    """
    if training.precision == "bf16" and device.partition(":")[0] != "cuda":
        raise SpecError(f"training.precision: bf16 needs a CUDA device; found {device}")
