"""A data set in memory: three splits of tensors."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from paretoib.distributions import Classes


@dataclass(frozen=True)
class Split:
    """Inputs `x` (N, *shape), float32, and targets `y`.

    These are classes, (N,) int64 or (N, T) of several tasks, or (N, d) float32.
    """

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device | str) -> "Split":
        """The same split on another device."""
        return Split(self.x.to(device), self.y.to(device))

    def first(self, count: int) -> "Split":
        """The first `count` examples (splits are shuffled, so this is a random sample)."""
        return Split(self.x[:count], self.y[:count])


@dataclass(frozen=True)
class Dataset:
    """Train, validation and test split, and what a model needs to know of them.

    `classes` is the number of classes, of several `tasks` (by name) each, or None where Y is
    continuous; then `target_dim` is Y's dimension, `target_entropy` its differential entropy h(Y)
    in nats, and `ceiling` = I(X;Y) in nats takes the place of H(Y) as the most that any code can
    tell of Y. `complete` says that validation and test are all inputs there are, equally likely:
    means over them are exact.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: Classes = None
    tasks: tuple[str, ...] = ()
    target_dim: int | None = None
    target_entropy: float | None = None
    ceiling: float | None = None
    complete: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.train.x.shape[1:])

    def entropies(self, split: Split) -> tuple[float, float]:
        """(entropy of the targets, relevance ceiling) of a split in nats, summed over tasks."""
        entropies, ceilings = zip(*self.task_entropies(split), strict=True)
        return sum(entropies), sum(ceilings)

    def task_entropies(self, split: Split) -> list[tuple[float, float]]:
        """(entropy of the targets, relevance ceiling) of each task in nats.

        For classes both are H(Y_k) of the split's own labels; for continuous Y, one task, they are
        h(Y) and I(X;Y), known in closed form.
        """
        if self.classes is None:
            assert self.target_entropy is not None
            assert self.ceiling is not None
            return [(self.target_entropy, self.ceiling)]
        return [(entropy(labels),) * 2 for labels in self.targets(split)]

    def targets(self, split: Split) -> tuple[Tensor, ...]:
        """The targets of each task."""
        return split.y.unbind(1) if self.tasks else (split.y,)

    def to(self, device: torch.device | str) -> "Dataset":
        """The same data on another device."""
        return replace(
            self,
            train=self.train.to(device),
            validation=self.validation.to(device),
            test=self.test.to(device),
        )


def entropy(labels: Tensor) -> float:
    """H in nats of labels (N,), as often as they occur."""
    p = torch.bincount(labels).double() / len(labels)
    return float(torch.special.entr(p).sum())
