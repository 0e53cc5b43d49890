"""Permutation-MNIST: MNIST with the same random permutation of the pixels of every image.

Goodfellow, Mirza, Xiao, Courville, Bengio: An Empirical Investigation of Catastrophic Forgetting,
2013; uib section 7.1. The data set is as difficult as MNIST for a fully connected network. It is
more difficult than MNIST for a convolutional network, because neighbouring pixels are unrelated.
"""

from dataclasses import replace
from pathlib import Path

import torch

from paretoib.data._dataset import Dataset, Split
from paretoib.data._idx import load_mnist


def load(
    *, folder: Path, subset: float, fold: int = 0, split_seed: int, permutation_seed: int
) -> Dataset:
    """MNIST, inputs (1, 28, 28) in [0, 1], with its pixels permuted; see `load_mnist`."""
    mnist = load_mnist(folder=folder, subset=subset, fold=fold, split_seed=split_seed)
    return replace(permuted(mnist, permutation_seed), name="permutation_mnist")


def permuted(dataset: Dataset, seed: int) -> Dataset:
    """The data set with the pixels of every input in the same random order, fixed by `seed`."""
    size = dataset.train.x[0].numel()
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))

    def permute(split: Split) -> Split:
        return Split(split.x.flatten(1)[:, order].view_as(split.x), split.y)

    splits = (dataset.train, dataset.validation, dataset.test)
    train, validation, test = map(permute, splits)
    return replace(dataset, train=train, validation=validation, test=test)
