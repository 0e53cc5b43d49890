"""The data set `mtfl`, from a small download in the published layout."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from paretoib.data._mtfl import load
from paretoib.errors import DataError, SpecError

COUNT = 30
LABELS = [(1 + i % 2, 1 + i // 2 % 2, 1 + i // 4 % 2, 1 + i % 5) for i in range(COUNT)]


def line(i: int, labels: tuple[int, ...]) -> str:
    """A line as published: a Windows path, x1 … x5 y1 … y5, gender, smile, glasses, pose."""
    folder = ("lfw_5590", "net_7876")[i % 2]
    landmarks = " ".join(f"{10.5 + i + j}" for j in range(10))
    return f" {folder}\\face_{i:04}.jpg {landmarks} {' '.join(map(str, labels))}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with MTFL: images have different sizes; red is 8 times the image's number."""
    root = tmp_path / "MTFL"
    for name in ("lfw_5590", "net_7876"):
        (root / name).mkdir(parents=True)
    for i in range(COUNT):
        path = line(i, ()).split()[0].replace("\\", "/")
        Image.new("RGB", (20 + i, 50 - i), (8 * i, 0, 255)).save(root / path, quality=100)
    text = "\r\n".join(line(i, labels) for i, labels in enumerate(LABELS))
    (root / "training.txt").write_text(text + "\r\n \r\n")
    return tmp_path


def test_images_keep_their_labels(folder: Path) -> None:
    """Images are resized, RGB and in [0, 1]; labels are counted from 0."""
    data = load(folder=folder, task="all", side=12, subset=1.0, split_seed=0)
    assert data.tasks == ("gender", "smile", "glasses", "pose")
    assert (data.classes, data.shape) == ((2, 2, 2, 5), (3, 12, 12))
    all_numbers = []
    for split in (data.train, data.validation, data.test):
        numbers = (split.x[:, 0].mean((1, 2)) * 255 / 8).round().int().tolist()
        assert (split.y + 1).tolist() == [list(LABELS[i]) for i in numbers]
        assert split.x[:, 1].max() < 0.05
        assert split.x[:, 2].min() > 0.95
        all_numbers += numbers
    assert sorted(all_numbers) == list(range(COUNT))
    assert (len(data.validation), len(data.test)) == (3, 3)


def test_the_test_split_does_not_depend_on_the_seed(folder: Path) -> None:
    """The validation split depends on the seed, but the test split does not.

    `subset` sets the size of the training split, as a share of all images.
    """

    def numbers(seed: int, subset: float = 1.0) -> list[list[int]]:
        data = load(folder=folder, task="all", side=8, subset=subset, split_seed=seed)
        return [
            (s.x[:, 0].mean((1, 2)) * 255 / 8).round().int().tolist()
            for s in (data.train, data.validation, data.test)
        ]

    first, other, part = numbers(0), numbers(1), numbers(0, 0.2)
    assert first[2] == other[2]
    assert first[1] != other[1]
    assert part == [first[0][:6], *first[1:]]


def test_a_single_task_has_one_column_of_labels(folder: Path) -> None:
    """With one selected task, Y is one column of labels and the data set has no list of tasks."""
    all_tasks = load(folder=folder, task="all", side=8, subset=1.0, split_seed=0)
    pose = load(folder=folder, task="pose", side=8, subset=1.0, split_seed=0)
    assert (pose.tasks, pose.classes) == ((), 5)
    assert np.array_equal(pose.train.y, all_tasks.train.y[:, 3])


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        ("a.jpg 1 2 3", "line 31 should be a path, 10 coordinates and 4 labels; found 4 fields"),
        (line(0, (1, 2, 3, 5)), "line 31: labels should be in 1–2, 1–2, 1–2, 1–5; found 1 2 3 5"),
        (line(0, (0, 1, 1, 1)), "labels should be in 1–2, 1–2, 1–2, 1–5; found 0 1 1 1"),
    ],
)
def test_the_error_gives_the_number_of_an_invalid_line(folder: Path, bad: str, rule: str) -> None:
    """The error for an invalid line has the line's number, the rule and the value found."""
    with (folder / "MTFL" / "training.txt").open("a") as file:
        file.write(bad)
    path = folder / "MTFL" / "training.txt"
    path.write_text("\n".join(row for row in path.read_text().splitlines() if row.strip()))
    with pytest.raises(DataError, match=rule):
        load(folder=folder, task="all", side=8, subset=1.0, split_seed=0)


def test_missing_and_damaged_files_are_refused(folder: Path) -> None:
    """A subset without images, an invalid image and an empty or missing list are errors."""
    arguments: dict[str, Any] = {"task": "all", "side": 8, "split_seed": 0}
    with pytest.raises(SpecError, match="at least one of 30 training examples"):
        load(folder=folder, subset=1e-3, **arguments)
    (folder / "MTFL" / "lfw_5590" / "face_0000.jpg").write_text("no image")
    with pytest.raises(DataError, match=r"face_0000\.jpg should be an image"):
        load(folder=folder, subset=1.0, **arguments)
    (folder / "MTFL" / "training.txt").write_text("")
    with pytest.raises(DataError, match="should have ten lines or more; found 0"):
        load(folder=folder, subset=1.0, **arguments)
    with pytest.raises(DataError, match=r"download MTFL\.zip"):
        load(folder=folder / "nowhere", subset=1.0, **arguments)
