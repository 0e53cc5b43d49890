"""Pairs of images: layout, composition and cache."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from paretoib.data import Dataset, Split
from paretoib.data._idx import MNIST
from paretoib.data._multi import OFFSET, SIDE, load_multi, load_multi_mnist, overlay
from paretoib.data._source import Source
from paretoib.errors import DataError, SpecError
from paretoib.settings import settings

TRAIN, TEST, VALIDATION = 60, 20, 15
CHECKSUM = "3f0780f707ad3a16"  # of the pairs of the real digits with seed 0


def load(
    source: Source, folder: Path, *, task: str = "all", subset: float = 1.0, seed: int = 0
) -> Dataset:
    return load_multi("multi_mnist", source, folder, task, subset, seed)


def source_numbers(split: Split) -> tuple[list[int], list[int]]:
    """The numbers of the official images on the left and on the right, read from their corners.

    Needs the images of the fixture `marked`.
    """
    pixels = (split.x[:, 0] * 255).round().int()
    return pixels[:, 0, 0].tolist(), pixels[:, OFFSET, SIDE - 1].tolist()


@pytest.fixture
def marked(
    labels: NDArray[np.uint8],
    tmp_path: Path,
    published: Callable[..., Source],
    put: Callable[[dict[str, bytes], Path], Path],
) -> tuple[Source, Path]:
    """A source of images, and its data folder.

    The pixels in both upper corners of an image hold its index in the data set. In a pair, the
    upper left corner of the left image and the upper right corner of the right image lie outside
    the overlap.
    """
    images = np.zeros((TRAIN + TEST, 28, 28), np.uint8)
    images[:, 0, 0] = images[:, 0, 27] = np.arange(TRAIN + TEST)

    def idx(values: NDArray[np.uint8]) -> bytes:
        sizes = b"".join(n.to_bytes(4, "big") for n in values.shape)
        return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()

    files = {
        "train-images-idx3-ubyte": idx(images[:TRAIN]),
        "train-labels-idx1-ubyte": idx(labels[:TRAIN]),
        "t10k-images-idx3-ubyte": idx(images[TRAIN:]),
        "t10k-labels-idx1-ubyte": idx(labels[TRAIN:]),
    }
    put(files, tmp_path / "mnist")
    return published(MNIST, files), tmp_path


def test_the_layout_is_exact_to_the_pixel() -> None:
    """The left image is at (0, 0) and the right image at (8, 8); the larger value is kept."""
    images = np.random.default_rng(1).integers(0, 256, (2, 1, 28, 28), np.uint8)
    record = overlay((images, np.array([3, 7], np.uint8)), np.array([0]), np.array([1]))[0]
    left, right = images[:, 0]
    assert record[:2].tolist() == [3, 7]
    pixels = record[2:].reshape(36, 36)
    for y in range(36):
        for x in range(36):
            values = [0]
            if y < 28 and x < 28:
                values.append(left[y, x])
            if y >= 8 and x >= 8:
                values.append(right[y - 8, x - 8])
            assert pixels[y, x] == max(values), (y, x)


def test_a_pair_has_the_labels_of_its_images(
    marked: tuple[Source, Path], labels: NDArray[np.uint8]
) -> None:
    """In every split, a pair has two labels: the labels of its left and of its right image."""
    data = load(*marked)
    assert (data.tasks, data.classes, data.shape) == (("left", "right"), (10, 10), (1, 36, 36))
    for split in (data.train, data.validation, data.test):
        left, right = source_numbers(split)
        expected = np.stack([labels[left], labels[right]], axis=1)
        assert split.y.tolist() == expected.tolist()
        assert (split.x.dtype, split.y.dtype) == (torch.float32, torch.int64)


def test_each_training_image_is_used_twice_on_each_side(
    marked: tuple[Source, Path],
) -> None:
    """Training and validation together use each training image twice on each side.

    Training and validation share no image. The test split uses each test image once on each side.
    """
    data = load(*marked)
    train, validation = source_numbers(data.train), source_numbers(data.validation)
    for side in (0, 1):
        assert sorted(train[side] + validation[side]) == sorted(2 * list(range(TRAIN)))
        assert not set(train[side]) & {*validation[0], *validation[1]}
        assert sorted(source_numbers(data.test)[side]) == list(range(TRAIN, TRAIN + TEST))
    assert len(data.validation) == VALIDATION // 2 * 2
    assert train[0] != train[1]


def test_a_single_task_has_one_column_of_labels(marked: tuple[Source, Path]) -> None:
    """A single task selects a column of labels and does not change the images."""
    all_tasks = load(*marked)
    for side, task in enumerate(("left", "right")):
        single = load(*marked, task=task)
        assert (single.tasks, single.classes) == ((), 10)
        assert torch.equal(single.train.x, all_tasks.train.x)
        assert torch.equal(single.test.y, all_tasks.test.y[:, side])


def test_seed_and_subset_choose_pairs(marked: tuple[Source, Path]) -> None:
    """The seed does not change the test split; a subset reduces only the training split.

    The size of a subset is a share of the training and validation pairs together.
    """
    first, other = load(*marked), load(*marked, seed=1)
    assert torch.equal(load(*marked).train.x, first.train.x)
    assert not torch.equal(first.train.x, other.train.x)
    assert torch.equal(first.test.x, other.test.x)
    part = load(*marked, subset=0.25)
    assert torch.equal(part.train.x, first.train.x[:30])
    assert torch.equal(part.validation.x, first.validation.x)
    with pytest.raises(SpecError, match="at least one of 120 training examples"):
        load(*marked, subset=1e-3)


def test_pairs_are_cached(marked: tuple[Source, Path]) -> None:
    """There is one cache file per seed; with this file, the official files are not read."""
    source, folder = marked
    first = load(source, folder)
    for file in (folder / "mnist").iterdir():
        file.unlink()
    assert torch.equal(load(source, folder).train.x, first.train.x)
    (cached,) = (folder / "multi-mnist").iterdir()
    assert cached.name.startswith("pairs-0-")
    with pytest.raises(DataError, match="not found"):
        load(source, folder, seed=1)


def test_a_damaged_cache_file_is_created_again(
    marked: tuple[Source, Path], caplog: pytest.LogCaptureFixture
) -> None:
    """A cache file is created again if its checksum differs from its name; a warning is logged."""
    source, folder = marked
    first = load(source, folder)
    (cached,) = (folder / "multi-mnist").iterdir()
    cached.write_bytes(cached.read_bytes()[:-1] + b"\x01")
    with caplog.at_level(logging.WARNING):
        again = load(source, folder)
    assert "is damaged; creating it again" in caplog.text
    assert torch.equal(again.train.x, first.train.x)
    caplog.clear()
    load(source, folder)
    assert caplog.text == ""


def test_a_cache_that_cannot_be_written_is_no_error(
    marked: tuple[Source, Path], caplog: pytest.LogCaptureFixture
) -> None:
    """If the pairs cannot be cached, they are still created, and a warning is logged."""
    source, folder = marked
    (folder / "multi-mnist").write_text("in the way")
    assert len(load(source, folder).test) == TEST
    assert "not written" in caplog.text


def test_pairs_of_the_real_digits(tmp_path: Path) -> None:
    """The number of pairs is the published one; the checksum is the same on every machine."""
    real = settings().data / "mnist"
    if not real.is_dir():
        pytest.skip("MNIST is not in the data folder")
    (tmp_path / "mnist").symlink_to(real.resolve())
    data = load_multi_mnist(folder=tmp_path, task="all", subset=0.01, split_seed=0)
    assert [len(s) for s in (data.train, data.validation, data.test)] == [1200, 10_000, 10_000]
    (cached,) = (tmp_path / "multi-mnist").iterdir()
    assert cached.stat().st_size == 130_000 * (2 + 36 * 36)
    assert cached.stem.startswith(f"pairs-0-{CHECKSUM}")
