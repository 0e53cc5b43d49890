"""The data set `digits`."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from paretoib.data import DATASETS, Dataset, _digits
from paretoib.errors import DataError, SpecError


def load(subset: float = 1.0, split_seed: int = 0, fold: int = 0) -> Dataset:
    return DATASETS["digits"].load()(folder=None, subset=subset, fold=fold, split_seed=split_seed)


@pytest.mark.parametrize("split_seed", [0, 7])
def test_splits_are_scikit_learns_digits_in_a_seeded_order(split_seed: int) -> None:
    """Test, validation and training are 20 %, 20 % and 60 % of the digits, scaled to [0, 1]."""
    data, digits = load(split_seed=split_seed), load_digits()
    order = np.random.default_rng(split_seed).permutation(1797)
    splits = (data.test, data.validation, data.train)
    assert [len(split) for split in splits] == [359, 359, 1079]
    x, y = (torch.cat([getattr(split, name) for split in splits]) for name in ("x", "y"))
    assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
    assert torch.equal(x[:, 0].double() * 16, torch.from_numpy(digits.images[order]))
    assert torch.equal(y, torch.from_numpy(digits.target[order]))
    assert (data.shape, float(x.max())) == ((1, 8, 8), 1.0)


def test_the_error_names_scikit_learn_if_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """If scikit-learn is not installed, the error says that the digits come with scikit-learn."""
    monkeypatch.setattr(_digits, "find_spec", lambda _: None)
    with pytest.raises(DataError, match="comes with scikit-learn, which is not installed"):
        load()


@pytest.mark.parametrize("content", [None, b"no gzip", b"\x1f\x8b\x08\x00truncated"])
def test_a_file_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    """If the file of the digits is missing or damaged, the error names this file."""
    file = tmp_path / "datasets" / "data" / "digits.csv.gz"
    if content is not None:
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
    spec = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr(_digits, "find_spec", lambda _: spec)
    with pytest.raises(DataError, match=f"cannot read scikit-learn's digits, {file}"):
        load()


def test_subset_is_a_share_of_the_training_split() -> None:
    """A subset is the first part of the training split; the other splits do not change."""
    whole, part = load(), load(subset=0.25)
    assert len(part.train) == 270
    assert torch.equal(part.train.x, whole.train.x[:270])
    assert torch.equal(part.validation.y, whole.validation.y)
    assert torch.equal(part.test.y, whole.test.y)


def test_split_seed_fixes_the_split() -> None:
    """Equal seeds give equal splits, and different seeds give different splits."""
    assert torch.equal(load(split_seed=3).test.x, load(split_seed=3).test.x)
    assert not torch.equal(load(split_seed=3).test.x, load(split_seed=4).test.x)


def test_folds_are_disjoint_parts_of_the_training_split() -> None:
    """Five folds of a fifth are the training split, in its order; a fold too many is refused."""
    whole = load()
    folds = [load(subset=0.2, fold=fold) for fold in range(5)]
    assert torch.equal(torch.cat([part.train.x for part in folds]), whole.train.x)
    assert all(torch.equal(part.validation.x, whole.validation.x) for part in folds)
    with pytest.raises(SpecError, match=r"`fold` should be below 4, .* found `fold = 4`"):
        load(subset=0.25, fold=4)
