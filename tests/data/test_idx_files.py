"""Reading, checking and splitting files in MNIST's format."""

import gzip
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from paretoib.data import Dataset, Split
from paretoib.data._idx import load_idx
from paretoib.data._source import Source
from paretoib.errors import DataError, SpecError

TRAIN, TEST, VALIDATION = 60, 20, 15
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def load(
    source: Source, folder: Path, subset: float = 1.0, split_seed: int = 0, fold: int = 0
) -> Dataset:
    return load_idx(source, folder=folder, subset=subset, fold=fold, split_seed=split_seed)


def numbers(split: Split) -> list[int]:
    """The numbers of the official images in a split, in the order of the split."""
    return [round(v) for v in (split.x[:, 0, 0, 0] * 255).tolist()]


def test_images_keep_their_labels_and_pixels(
    source: Source, folder: Path, pixels: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> None:
    """Each image, scaled to [0, 1], has its official label."""
    data = load(source, folder)
    for split in (data.train, data.validation, data.test):
        index = numbers(split)
        expected = torch.from_numpy(pixels[index][:, None].astype(np.float32) / 255)
        torch.testing.assert_close(split.x, expected)
        assert split.y.tolist() == labels[index].tolist()
        assert (split.x.dtype, split.y.dtype) == (torch.float32, torch.int64)
    assert (data.name, data.shape, data.classes) == ("mnist", (1, 28, 28), 10)


def test_splits_are_disjoint_and_test_has_the_official_test_images(
    source: Source, folder: Path
) -> None:
    """Training and validation are disjoint parts of the official training images.

    The test split has the official test images in random order.
    """
    data = load(source, folder)
    train, validation, test = map(numbers, (data.train, data.validation, data.test))
    assert sorted(train + validation) == list(range(TRAIN))
    assert sorted(test) == list(range(TRAIN, TRAIN + TEST))
    assert test != sorted(test), "the first images of test should be a random sample"


@pytest.mark.parametrize(("subset", "count"), [(0.2, 12), (0.5, 30), (0.75, 45), (1.0, 45)])
def test_subset_is_a_share_of_the_official_training_images(
    source: Source, folder: Path, subset: float, count: int
) -> None:
    """`subset` is a share of all official training images; validation does not depend on it.

    Validation images are never used for training.
    """
    whole, part = load(source, folder), load(source, folder, subset)
    assert numbers(part.train) == numbers(whole.train)[:count]
    assert numbers(part.validation) == numbers(whole.validation)
    assert len(part.validation) == VALIDATION


def test_folds_have_no_training_image_in_common(source: Source, folder: Path) -> None:
    """The training splits of five folds of a fifth are all official images, each in one fold.

    The validation split of a fold has no image of its training split.
    """
    folds = [load(source, folder, 0.2, fold=fold) for fold in range(5)]
    assert sorted(i for part in folds for i in numbers(part.train)) == list(range(TRAIN))
    for part in folds:
        assert not set(numbers(part.train)) & set(numbers(part.validation))
        assert len(part.validation) == VALIDATION
    with pytest.raises(SpecError, match=r"`fold` should be below 5, .* found `fold = 5`"):
        load(source, folder, 0.2, fold=5)


def test_split_seed_fixes_the_split(source: Source, folder: Path) -> None:
    """Different seeds give different validation splits and the same test split."""
    first, again, other = (load(source, folder, split_seed=s) for s in (1, 1, 2))
    assert numbers(first.train) == numbers(again.train)
    assert set(numbers(first.validation)) != set(numbers(other.validation))
    assert numbers(first.test) == numbers(other.test)


def test_a_subset_without_images_is_refused(source: Source, folder: Path) -> None:
    """The error for a subset that is too small has the rule and the value."""
    with pytest.raises(SpecError, match=r"at least one of 60 .* found `subset = 0.001`"):
        load(source, folder, subset=0.001)


def test_gzipped_files_give_the_same_data(
    source: Source,
    folder: Path,
    files: dict[str, bytes],
    tmp_path: Path,
    put: Callable[[dict[str, bytes], Path], Path],
) -> None:
    """Gzipped files are read from the data folder and from a system folder."""
    zipped = {f"{name}.gz": gzip.compress(content) for name, content in files.items()}
    system = put(zipped, tmp_path / "system")
    put(zipped, tmp_path / "other" / "mnist")
    plain = load(source, folder)
    for gzipped in (
        load(source, tmp_path / "other"),
        load(replace(source, system=system), tmp_path / "none"),
    ):
        torch.testing.assert_close(gzipped.train.x, plain.train.x, rtol=0, atol=0)


def wrong_magic(content: bytes) -> bytes:
    return b"\x1f" + content[1:]


def truncated(content: bytes) -> bytes:
    return content[:-1]


def wrong_count(content: bytes) -> bytes:
    return content[:4] + (61).to_bytes(4, "big") + content[8:]


def flipped_bit(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def label_ten(content: bytes) -> bytes:
    return content[:-1] + b"\x0a"


@pytest.mark.parametrize(
    ("file", "damage", "rule"),
    [
        (IMAGES, wrong_magic, "should begin with the magic number 00000803; found 1f000803"),
        (LABELS, wrong_magic, "should begin with the magic number 00000801; found 1f000801"),
        (IMAGES, lambda _: b"", "should begin with the magic number 00000803; found nothing"),
        (IMAGES, lambda c: c[:9], r"sizes should be \(60, 28, 28\); found \(60, 0, 0\)"),
        (IMAGES, wrong_count, r"sizes should be \(60, 28, 28\); found \(61, 28, 28\)"),
        (IMAGES, truncated, "should have 47056 bytes; found 47055"),
        (LABELS, lambda c: c + b"\0", "should have 68 bytes; found 69"),
        (LABELS, label_ten, "labels should be below 10; found 10"),
        (IMAGES, flipped_bit, "the md5 of its content should be [0-9a-f]{32}; found [0-9a-f]{32}"),
    ],
)
def test_a_damaged_idx_file_is_an_error(
    source: Source, folder: Path, file: str, damage: Callable[[bytes], bytes], rule: str
) -> None:
    """The error names the damaged file, the rule and the value found."""
    path = folder / "mnist" / file
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=f"{file}.*{rule}"):
        load(source, folder)


@pytest.mark.parametrize("damage", [truncated, lambda c: c[:40], lambda c: b"PK" + c[2:]])
def test_a_damaged_gzip_file_is_an_error(
    source: Source, folder: Path, damage: Callable[[bytes], bytes]
) -> None:
    """The error names the damaged file, which is truncated or has no gzip header."""
    path = folder / "mnist" / IMAGES
    path.with_name(f"{IMAGES}.gz").write_bytes(damage(gzip.compress(path.read_bytes())))
    path.unlink()
    with pytest.raises(DataError, match=rf"{IMAGES}\.gz: should be a complete gzip file; found"):
        load(source, folder)


def test_a_file_that_cannot_be_read_is_named(source: Source, folder: Path) -> None:
    """The error for an unreadable file has its path and the operating system's reason."""
    path = folder / "mnist" / IMAGES
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=f"{IMAGES} should be a readable file; found: Is a dir"):
        load(source, folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every folder")
def test_a_forbidden_folder_is_named(source: Source, folder: Path) -> None:
    """If the folder cannot be read, the error is about permission, not about missing files."""
    (folder / "mnist").chmod(0)
    try:
        with pytest.raises(DataError, match=f"{IMAGES} should be a readable file; found: Perm"):
            load(source, folder)
    finally:
        (folder / "mnist").chmod(0o700)
