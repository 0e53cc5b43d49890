"""A data set in memory: three splits of tensors."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from paretoib.distributions import Classes


@dataclass(frozen=True)
class Split:
    """Inputs `x` (N, *shape), float32, and targets `y`.

    Targets are classes, int64 (N,), or (N, T) for T tasks; or continuous, float32 (N, d).
    """

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device | str) -> "Split":
        """The same split on another device."""
        return Split(self.x.to(device), self.y.to(device))

    def first(self, count: int) -> "Split":
        """The first `count` examples, a random sample because splits are shuffled."""
        return Split(self.x[:count], self.y[:count])


@dataclass(frozen=True)
class Dataset:
    """Training, validation and test splits, with the facts that models and estimators need.

    `classes` is the number of classes, or a tuple with one number for each of `tasks`. It is None
    for a continuous Y; then `target_dim` is Y's dimension and `target_entropy` its differential
    entropy h(Y) in nats. `ceiling` is I(X;Y) in nats for a continuous Y, and for one label that is
    not a function of X; it replaces H(Y) as the upper limit of the relevance.

    `complete` means that validation and test both hold every possible input, all equally likely,
    so that means over a split are exact. They hold all inputs `copies` times, one copy after
    another, each in the same order. The labels of the copies of an input may differ.
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
    copies: int = 1

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

        For classes, both values are H(Y_k) of the labels of the split, unless I(X;Y) is smaller.
        A continuous Y is one task, with h(Y) and I(X;Y) in closed form.
        """
        if self.classes is None:
            assert self.target_entropy is not None
            assert self.ceiling is not None
            return [(self.target_entropy, self.ceiling)]
        entropies = [entropy(labels) for labels in self.targets(split)]
        return [(h, h if self.ceiling is None else min(h, self.ceiling)) for h in entropies]

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
    """Entropy in nats of the empirical distribution of labels (N,)."""
    p = torch.bincount(labels).double() / len(labels)
    return float(torch.special.entr(p).sum())
