"""Permutation-MNIST: the same random permutation of the pixels of every image.

Goodfellow, Mirza, Xiao, Courville, Bengio: An Empirical Investigation of Catastrophic Forgetting,
2013; uib section 7.1. To a fully connected network it is MNIST; a convolution finds no neighbours.
"""

from dataclasses import replace
from pathlib import Path

import torch

from paretoib.data._dataset import Dataset, Split
from paretoib.data._idx import load_mnist


def load(*, folder: Path, subset: float, split_seed: int, permutation_seed: int) -> Dataset:
    """MNIST, inputs (1, 28, 28) in [0, 1], with its pixels permuted; see `load_mnist`."""
    mnist = load_mnist(folder=folder, subset=subset, split_seed=split_seed)
    return replace(permuted(mnist, permutation_seed), name="permutation_mnist")


def permuted(dataset: Dataset, seed: int) -> Dataset:
    """The data set with every input's numbers in another order, which `seed` fixes."""
    size = dataset.train.x[0].numel()
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))

    def turned(split: Split) -> Split:
        return Split(split.x.flatten(1)[:, order].view_as(split.x), split.y)

    splits = (dataset.train, dataset.validation, dataset.test)
    train, validation, test = map(turned, splits)
    return replace(dataset, train=train, validation=validation, test=test)
