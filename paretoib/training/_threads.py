"""The number of threads for the operations of a pack."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from paretoib.models import MODELS
from paretoib.specs import TrialSpec
from paretoib.training._stack import Stack

# If each trial has fewer parameters and noise samples than this, several threads are no faster than
# one thread, for any number of stacked trials. On a busy machine several threads are ten times
# slower, because threads wait for a core.
_SMALL = 100_000


@contextmanager
def limit_threads(spec: TrialSpec, stack: Stack) -> Iterator[None]:
    """Use one thread for small trials on a CPU, otherwise torch's setting.

    Models that are not stacked on a CPU never count as small, because convolutions with few
    parameters can need much arithmetic.
    """
    threads = torch.get_num_threads()
    tensors = stack.state().values()
    samples = spec.training.batch_size * stack.head.training_noise
    small = samples + sum(tensor.numel() for tensor in tensors) / stack.size < _SMALL
    on_cpu = all(tensor.device.type == "cpu" for tensor in tensors)
    stacks = MODELS[spec.model.name].stacks(spec.model.params, on_cpu=True)
    if not (small and on_cpu and stacks):
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
