"""The embedded data set."""

import torch
from sklearn.datasets import load_digits

from paretoib.data import DATASETS
from paretoib.data._dataset import Dataset


def load(subset: float = 1.0, split_seed: int = 0) -> Dataset:
    folder = None  # digits needs none
    return DATASETS["digits"].load()(folder=folder, subset=subset, split_seed=split_seed)


def rows(data: Dataset) -> list[tuple[float, ...]]:
    """All examples of all splits, label last, sorted."""
    splits = (data.train, data.validation, data.test)
    joined = torch.cat([torch.cat([s.x.flatten(1) * 16, s.y[:, None]], 1) for s in splits])
    return sorted(tuple(row) for row in joined.tolist())


def test_splits_hold_every_digit_once() -> None:
    """60 %, 20 % and 20 % of the digits, disjoint, with their labels, pixels in [0, 1]."""
    data, digits = load(), load_digits()
    expected = [(*x, y) for x, y in zip(digits.data.tolist(), digits.target.tolist(), strict=True)]
    assert rows(data) == sorted(expected)
    assert [len(s) for s in (data.train, data.validation, data.test)] == [1079, 359, 359]
    assert (data.shape, float(data.train.x.max())) == ((1, 8, 8), 1.0)


def test_subset_is_a_share_of_the_training_split() -> None:
    """A subset is the beginning of the training split; the rest stays as it is."""
    whole, part = load(), load(subset=0.25)
    assert len(part.train) == 270
    assert torch.equal(part.train.x, whole.train.x[:270])
    assert torch.equal(part.validation.y, whole.validation.y)
    assert torch.equal(part.test.y, whole.test.y)


def test_split_seed_fixes_the_split() -> None:
    """The same seed gives the same split, another seed another one."""
    assert torch.equal(load(split_seed=3).test.x, load(split_seed=3).test.x)
    assert not torch.equal(load(split_seed=3).test.x, load(split_seed=4).test.x)
