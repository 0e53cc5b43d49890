"""The data set `binary12`, a problem with 12 input bits."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from paretoib.data import DATASETS, Dataset
from paretoib.data._binary12 import powers, vertices
from paretoib.errors import SpecError


def load(train_share: float = 1.0, split_seed: int = 0) -> Dataset:
    data: Dataset = DATASETS["binary12"].load()(
        folder=Path(), train_share=train_share, split_seed=split_seed
    )
    return data


def test_every_pattern_occurs_once_in_two_equal_classes() -> None:
    """By default each split has all 4096 patterns, half of them in each class."""
    data = load()
    assert data.complete
    for split in (data.train, data.validation, data.test):
        assert {tuple(row) for row in split.x.int().tolist()} == set(
            map(tuple, np.ndindex(*[2] * 12))
        )
        assert split.y.bincount().tolist() == [2048, 2048]
    assert data.entropies(data.test)[0] == pytest.approx(np.log(2))


def test_the_training_split_is_a_share_of_the_patterns() -> None:
    """The training split is the first part of the shuffled patterns, as in imb section 5.3."""
    data = load(0.8)
    assert len(data.train) == 3277
    assert len(data.test) == 4096
    assert torch.equal(data.train.x, data.test.x[:3277])
    assert not torch.equal(load(0.8, split_seed=1).train.x, data.train.x)
    with pytest.raises(SpecError, match="at least one"):
        load(1e-5)


def test_the_vertices_are_evenly_spread() -> None:
    """The cosines between a vertex and all vertices are 1, 1/√5 (5×), −1/√5 (5×) and −1."""
    cosines = np.sort(vertices() @ vertices().T, axis=1)
    expected = [-1, *[-(5**-0.5)] * 5, *[5**-0.5] * 5, 1]
    np.testing.assert_allclose(cosines, np.tile(expected, (12, 1)), atol=1e-12)


def test_a_rotation_does_not_change_the_power() -> None:
    """A rotation of the icosahedron onto itself permutes the bits and keeps a pattern's power."""
    points = vertices()
    rotation = Rotation.from_rotvec(2 * np.pi / 5 * points[0]).as_matrix()
    permutation = np.abs((points @ rotation.T)[:, None] - points).sum(-1).argmin(1)
    assert sorted(permutation) == list(range(12))
    assert (permutation != np.arange(12)).sum() == 10
    bits = np.random.default_rng(0).integers(0, 2, (50, 12)).astype(float)
    np.testing.assert_allclose(powers(bits[:, permutation]), powers(bits), atol=1e-9)


def test_the_label_is_1_for_powers_above_the_median() -> None:
    """Patterns whose power is above the median have label 1, those below label 0.

    The labels of patterns at the median depend on the seed.
    """
    labels = []
    for seed in (0, 1):
        split = load(split_seed=seed).test
        power = powers(split.x.numpy().astype(float)).round(6)
        median = np.sort(power)[2048]
        assert (split.y.numpy()[power > median] == 1).all()
        assert (split.y.numpy()[power < median] == 0).all()
        order = np.lexsort(split.x.numpy().T)
        labels.append(split.y.numpy()[order])
    assert 0 < (labels[0] != labels[1]).mean() < 0.1
