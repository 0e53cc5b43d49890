"""Permutation-MNIST."""

from pathlib import Path

import pytest
import torch

from paretoib.data import DATASETS, _idx
from paretoib.data._dataset import Dataset
from paretoib.data._source import Source


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, source: Source, folder: Path) -> Path:
    """The folder of a small MNIST, which takes the place of the official one."""
    monkeypatch.setattr(_idx, "MNIST", source)
    return folder


def load(name: str, folder: Path, **params: int) -> Dataset:
    data: Dataset = DATASETS[name].load()(folder=folder, subset=1.0, split_seed=0, **params)
    return data


def test_every_image_is_mnists_with_one_order_of_pixels(small: Path) -> None:
    """In all splits, with its label; undone by that order's inverse."""
    plain = load("mnist", small)
    mixed = load("permutation_mnist", small, permutation_seed=3)
    assert mixed.name == "permutation_mnist"
    order = torch.randperm(784, generator=torch.Generator().manual_seed(3))
    for split in ("train", "validation", "test"):
        ours, theirs = getattr(mixed, split), getattr(plain, split)
        assert ours.x.shape == theirs.x.shape
        assert torch.equal(ours.y, theirs.y)
        assert torch.equal(ours.x.flatten(1)[:, order.argsort()], theirs.x.flatten(1))
        assert not torch.equal(ours.x, theirs.x)


def test_the_seed_fixes_the_order(small: Path) -> None:
    """The same seed gives the same, another seed another."""
    first, again, other = (
        load("permutation_mnist", small, permutation_seed=seed).test.x for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
