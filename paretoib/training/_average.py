"""Exponential averages of the weights, which are measured instead of the weights themselves.

Alemi, Fischer, Dillon, Murphy: Deep Variational Information Bottleneck, 2017, measure the average
with decay 0.999.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from paretoib.training._stack import Stack


class WeightAverage:
    """Averages of all parameters of a stack: a ← decay · a + (1 − decay) · w after each step.

    The averages start at the initial parameters. Buffers, such as the running statistics of batch
    norm, are not averaged. With decay 0 there are no averages, and all methods do nothing.
    """

    def __init__(self, stack: Stack, decay: float) -> None:
        self._stack = stack
        self._decay = decay
        self._parameters = [p.detach() for p in stack.parameters] if decay else []
        self._averages = [p.clone() for p in self._parameters]

    @property
    def active(self) -> bool:
        """Whether the weights are averaged."""
        return self._decay > 0

    def update(self) -> None:
        """Add the present parameters to the averages."""
        if self.active:
            torch._foreach_lerp_(self._averages, self._parameters, 1 - self._decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The stack has the averages as its parameters in this context."""
        trained = [p.clone() for p in self._parameters]
        self.apply()
        try:
            yield
        finally:
            _copy(trained, self._parameters)

    def apply(self) -> None:
        """Replace the parameters of the stack by their averages."""
        _copy(self._averages, self._parameters)

    def state(self) -> dict[str, Tensor]:
        """The averages, (M, …) each."""
        return {str(i): self._stack.per_trial(a) for i, a in enumerate(self._averages)}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore a `state()`."""
        for name, average in self.state().items():
            average.copy_(state[name])


def _copy(sources: list[Tensor], targets: list[Tensor]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.copy_(source)
