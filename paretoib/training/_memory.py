"""Allocator settings for training, and one exception for all out-of-memory errors."""

import ctypes
import gc
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import torch

from paretoib.errors import OutOfMemoryError

Result = TypeVar("Result")

# Parameters of mallopt in glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

# Parts of the RuntimeError messages of torch's allocators, cuBLAS and cuDNN when memory is short.
_MESSAGES = ("not enough memory", "can't allocate memory", "out of memory", "ALLOC_FAILED")


@cache
def keep_freed_memory() -> None:
    """Configure glibc to keep freed memory for the next step, which needs blocks of the same size.

    By default glibc returns large blocks to the system, which must clear their pages again at every
    step. In measurements, clearing took a fifth of the time of small packs and a third of the time
    of MIB on a large model. Without glibc this function does nothing.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    # Old versions of glibc refuse more than 32 MiB.
    if not mallopt(_M_MMAP_THRESHOLD, 2**30):
        mallopt(_M_MMAP_THRESHOLD, 2**25)


def translate_memory_errors(run: Callable[[], Result], device: torch.device, trials: int) -> Result:
    """Call `run` and return its result; if memory is short, free the memory of `run` and raise.

    Raises:
        OutOfMemoryError: torch, numpy or CUDA raised an error for lack of memory.
    """
    try:
        return run()
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        message = " ".join(str(error).split())[:200]
    # The memory can be freed only after the `except` block: until then the error refers to the
    # frames of `run`, and the frames refer to the memory.
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    raise OutOfMemoryError(
        f"a pack of {trials} should fit into the memory of {device}; found: {message}"
    )


def _is_out_of_memory(error: Exception) -> bool:
    # torch.OutOfMemoryError is a RuntimeError whose message contains "out of memory".
    return isinstance(error, MemoryError) or any(part in str(error) for part in _MESSAGES)
