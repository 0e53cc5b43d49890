"""The data set `binary12`, a problem with 12 input bits."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from paretoib.data import DATASETS, Dataset
from paretoib.data._binary12 import powers, vertices
from paretoib.errors import DataError, SpecError
from paretoib.specs import section_model


def load(
    train_share: float = 1.0,
    split_seed: int = 0,
    *,
    labels: str = "sphere",
    label_noise: float = 0.0,
    folder: Path | None = None,
) -> Dataset:
    data: Dataset = DATASETS["binary12"].load()(
        folder=folder or Path(),
        labels=labels,
        label_noise=label_noise,
        train_share=train_share,
        split_seed=split_seed,
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


@pytest.mark.parametrize(("label_noise", "copies"), [(0.1, 10), (0.25, 4), (1 / 3, 3), (0.02, 50)])
def test_the_same_share_of_each_pattern_is_flipped(label_noise: float, copies: int) -> None:
    """Each pattern occurs k times and has the other label in j of them: p(y|x) is exactly j/k.

    The copies follow each other in the same order, and I(X;Y) = H(Y) − h(j/k).
    """
    clean, data = load(), load(label_noise=label_noise)
    split = data.test
    assert (data.copies, len(split)) == (copies, copies * 4096)
    assert torch.equal(split.x, clean.test.x.repeat(copies, 1))
    flipped = split.y.view(copies, 4096) != clean.test.y
    assert (flipped.sum(0) == round(label_noise * copies)).all()
    # The first examples are a random sample, also of flipped labels.
    assert flipped[0].double().mean() == pytest.approx(label_noise, abs=0.03)
    noise = -label_noise * math.log(label_noise) - (1 - label_noise) * math.log(1 - label_noise)
    entropy, ceiling = data.entropies(split)
    assert entropy == pytest.approx(math.log(2))
    assert ceiling == pytest.approx(math.log(2) - noise)


def test_all_copies_of_a_training_pattern_are_trained_on() -> None:
    """The training split has a share of the patterns with all their copies."""
    data = load(0.8, label_noise=0.25)
    assert len(data.train) == 4 * 3277
    assert torch.equal(data.train.x, data.test.x[:3277].repeat(4, 1))
    assert torch.equal(data.train.y, data.test.y.view(4, 4096)[:, :3277].flatten())
    assert not torch.equal(load(split_seed=1, label_noise=0.25).test.y, data.test.y)


def test_a_noise_that_is_no_simple_fraction_is_refused() -> None:
    """A share of flipped labels should be a fraction with a denominator of at most 100."""
    with pytest.raises(SpecError, match=r"fraction j/k with k ≤ 100, .* near 10/81 = 0.123457"):
        load(label_noise=0.12345)


def write_labels(folder: Path, text: str) -> None:
    (folder / "binary12").mkdir(exist_ok=True)
    (folder / "binary12" / "labels.txt").write_text(text)


def test_a_label_file_is_in_the_order_of_binary_numbers(tmp_path: Path) -> None:
    """Line n + 1 is the label of the pattern whose bits are the number n; the first bit leads."""
    numbers = np.arange(4096)
    labels = (numbers >> 11 & 1) & (numbers & 1)  # the first and the last bit
    write_labels(tmp_path, "\n".join(map(str, labels)))
    data = load(labels="file", folder=tmp_path)
    for split in (data.train, data.test):
        both = (split.x[:, 0] * split.x[:, -1]).long()
        assert torch.equal(split.y, both)
    entropy, ceiling = data.entropies(data.test)
    assert entropy == ceiling == pytest.approx(-(math.log(0.25) / 4 + 3 * math.log(0.75) / 4))
    noisy = load(labels="file", label_noise=0.2, folder=tmp_path)
    assert noisy.entropies(noisy.test)[0] == pytest.approx(
        -0.35 * math.log(0.35) - 0.65 * math.log(0.65)
    )
    assert noisy.ceiling == pytest.approx(noisy.entropies(noisy.test)[1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1 " * 2000, "should have 4096 labels, 0 or 1, .* binary numbers; found 4000 labels"),
        ("", "found 0 labels"),
        ("0 1 " * 2047 + "0 2", "found `2` as label of pattern 111111111111"),
        ("yes no " * 2048, "found `yes` as label of pattern 000000000000"),
        ("1 " * 4096, "labels of both classes; found 1 only"),
    ],
)
def test_a_damaged_label_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """A file without 4096 labels of two classes is refused, with the rule and the reason."""
    write_labels(tmp_path, text)
    with pytest.raises(DataError, match=message):
        load(labels="file", folder=tmp_path)


def test_a_missing_or_binary_label_file_is_refused(tmp_path: Path) -> None:
    """The message says where the file should be; it is always in the data folder."""
    with pytest.raises(DataError, match=r"not found: .*binary12/labels.txt should .*PARETOIB_DATA"):
        load(labels="file", folder=tmp_path)
    write_labels(tmp_path, "")
    (tmp_path / "binary12" / "labels.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"separated by white space, .*; found: .*decode"):
        load(labels="file", folder=tmp_path)
    with pytest.raises(SpecError, match="should be 'sphere' or 'file'; found '/etc/passwd'"):
        section_model("data", "binary12").from_document({"labels": "/etc/passwd"})
