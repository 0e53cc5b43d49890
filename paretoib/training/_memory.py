"""Memory: kept between steps rather than given back, and named when it does not suffice."""

import ctypes
import gc
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import torch

from paretoib.errors import OutOfMemoryError

Result = TypeVar("Result")

# glibc's malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

# What a RuntimeError says where memory is short: torch's allocators, cuBLAS, cuDNN.
_SIGNS = ("not enough memory", "can't allocate memory", "out of memory", "ALLOC_FAILED")


@cache
def keep_freed_memory() -> None:
    """Tell glibc to keep what is freed for the next step, which will want the same again.

    By default it hands large blocks back to the system, which then has to clear them, page by
    page, at every step: measured at a fifth of the time of small packs and a third of MIB's on a
    large model. Elsewhere nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    # Old versions refuse more than 32 MiB.
    if not mallopt(_M_MMAP_THRESHOLD, 2**30):
        mallopt(_M_MMAP_THRESHOLD, 2**25)


def memory_named(run: Callable[[], Result], device: torch.device, trials: int) -> Result:
    """What `run` returns; `OutOfMemoryError` for too little memory, once what it held is free."""
    try:
        return run()
    except (MemoryError, RuntimeError) as error:
        if not _is_shortage(error):
            raise
        found = " ".join(str(error).split())[:200]
    # Not within `except`: the error holds on to the frames, and they to the memory.
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    raise OutOfMemoryError(
        f"a pack of {trials} should fit into the memory of {device}; found: {found}"
    )


def _is_shortage(error: Exception) -> bool:
    # torch.OutOfMemoryError is a RuntimeError that says "out of memory".
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in _SIGNS)
