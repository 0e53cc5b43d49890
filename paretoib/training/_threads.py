"""How many of the process's threads an operation of a pack is spread over."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from paretoib.models import MODELS
from paretoib.training._stack import Stack

# Parameters of a trial below which an operation of its step takes no less time when parts of it are
# handed to other threads, however many trials are stacked; on a busy machine, where those threads
# wait for a core, it takes ten times as long.
_SMALL = 100_000


@contextmanager
def useful_threads(model: str, stack: Stack) -> Iterator[None]:
    """One thread alone for small trials on a CPU; otherwise as many as torch has been given.

    Convolutions have much to do for few parameters.
    """
    threads = torch.get_num_threads()
    tensors = stack.state().values()
    small = sum(tensor.numel() for tensor in tensors) < _SMALL * stack.size
    on_cpu = all(tensor.device.type == "cpu" for tensor in tensors)
    if not (small and on_cpu and MODELS[model].stack_on_cpu):
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
