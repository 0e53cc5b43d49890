"""The real data sets; a test is skipped if its files are not on this machine."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from paretoib.data import Dataset
from paretoib.data._cifar import CIFAR10, load_cifar
from paretoib.data._idx import FASHION_MNIST, MNIST, load_idx
from paretoib.data._source import Source
from paretoib.errors import DataError
from paretoib.settings import settings


def real(load: Callable[..., Dataset], source: Source) -> Dataset:
    """The data set with a fifth of its training images; skips the test if files are missing."""
    try:
        return load(replace(source, mirrors=()), folder=settings().data, subset=0.2, split_seed=0)
    except DataError as error:
        if "not found" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize(
    ("load", "source", "train", "mean", "std"),
    [
        (load_idx, MNIST, 12_000, [0.1307], [0.3081]),
        (load_idx, FASHION_MNIST, 12_000, [0.2860], [0.3530]),
        (load_cifar, CIFAR10, 10_000, [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
    ],
)
def test_real_images_have_their_known_statistics(
    load: Callable[..., Dataset],
    source: Source,
    train: int,
    mean: list[float],
    std: list[float],
) -> None:
    """The splits have the known sizes, and the channels the known means and standard deviations.

    The tolerance for means and standard deviations is 0.004.
    """
    data = real(load, source)
    assert [len(s) for s in (data.train, data.validation, data.test)] == [train, 10_000, 10_000]
    x = torch.cat([data.train.x, data.validation.x])
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.tensor(mean), rtol=0, atol=4e-3)
    torch.testing.assert_close(x.std((0, 2, 3)), torch.tensor(std), rtol=0, atol=4e-3)


@pytest.mark.parametrize(
    ("load", "source", "counts"),
    [
        (load_idx, MNIST, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
        (load_idx, FASHION_MNIST, [1000] * 10),
        (load_cifar, CIFAR10, [1000] * 10),
    ],
)
def test_real_test_labels_have_their_known_counts(
    load: Callable[..., Dataset], source: Source, counts: list[int]
) -> None:
    """Each class has the known number of test images."""
    assert torch.bincount(real(load, source).test.y).tolist() == counts
