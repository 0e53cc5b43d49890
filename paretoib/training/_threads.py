"""How many of the process's threads an operation of a pack is spread over."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from paretoib.models import MODELS
from paretoib.specs import TrialSpec
from paretoib.training._stack import Stack

# Parameters and samples of a trial's step below which its operations take no less time when parts
# of them are handed to other threads, however many trials are stacked; on a busy machine, where
# those threads wait for a core, it takes ten times as long.
_SMALL = 100_000


@contextmanager
def useful_threads(spec: TrialSpec, stack: Stack) -> Iterator[None]:
    """One thread alone for small trials on a CPU; otherwise as many as torch has been given.

    Convolutions have much to do for few parameters.
    """
    threads = torch.get_num_threads()
    tensors = stack.state().values()
    samples = spec.training.batch_size * stack.head.training_noise
    small = samples + sum(tensor.numel() for tensor in tensors) / stack.size < _SMALL
    on_cpu = all(tensor.device.type == "cpu" for tensor in tensors)
    if not (small and on_cpu and MODELS[spec.model.name].stack_on_cpu):
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
