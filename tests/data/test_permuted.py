"""The data set `permutation_mnist`."""

from pathlib import Path

import pytest
import torch

from paretoib.data import DATASETS, Dataset, _idx
from paretoib.data._source import Source


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, source: Source, folder: Path) -> Path:
    """The folder of a small MNIST, which replaces the official one."""
    monkeypatch.setattr(_idx, "MNIST", source)
    return folder


def load(name: str, folder: Path, **params: int) -> Dataset:
    data: Dataset = DATASETS[name].load()(folder=folder, subset=1.0, split_seed=0, **params)
    return data


def test_all_images_have_the_same_permutation_of_pixels(small: Path) -> None:
    """The inverse permutation restores the images of MNIST in all splits; labels are unchanged."""
    plain = load("mnist", small)
    mixed = load("permutation_mnist", small, permutation_seed=3)
    assert mixed.name == "permutation_mnist"
    order = torch.randperm(784, generator=torch.Generator().manual_seed(3))
    for split in ("train", "validation", "test"):
        permuted, original = getattr(mixed, split), getattr(plain, split)
        assert permuted.x.shape == original.x.shape
        assert torch.equal(permuted.y, original.y)
        assert torch.equal(permuted.x.flatten(1)[:, order.argsort()], original.x.flatten(1))
        assert not torch.equal(permuted.x, original.x)


def test_the_seed_fixes_the_permutation(small: Path) -> None:
    """Equal seeds give equal permutations, and different seeds give different permutations."""
    first, again, other = (
        load("permutation_mnist", small, permutation_seed=seed).test.x for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
