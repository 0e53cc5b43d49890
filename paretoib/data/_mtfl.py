"""MTFL: faces with gender, smile, glasses and pose, four tasks.

Zhang, Luo, Loy, Tang: Facial Landmark Detection by Deep Multi-task Learning, 2014. It is the
user's own download, as published: `training.txt` and the folders with the images that it names,
in the folder `MTFL` of the data folder. A line is a path, ten coordinates of landmarks, and the
four labels, counted from 1.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paretoib.data import DATASETS
from paretoib.data._dataset import Dataset, Split
from paretoib.data._images import as_split, subset_count
from paretoib.errors import DataError

FOLDER, FILE = "MTFL", "training.txt"
CLASSES = (2, 2, 2, 5)  # of gender, smile, glasses, pose
_FIELDS = 1 + 10 + len(CLASSES)


def load(*, folder: Path, task: str, side: int, subset: float, split_seed: int) -> Dataset:
    """Colour images (3, side, side) in [0, 1]: a tenth is test, as in mtvib (9 000 and 1 000).

    Test is the same whatever the seed; `split_seed` fixes another tenth that is validation.
    `subset` is a share of all images to train on, or what is left. With `task` one of the tasks,
    its label is the only one.

    Raises:
        DataError: the download is absent, or not in the published layout.
        SpecError: `subset` leaves no training image.
    """
    root = folder / FOLDER
    paths, labels = _annotations(root / FILE)
    tenth = len(paths) // 10
    fixed = np.random.default_rng(0).permutation(len(paths))
    test, rest = fixed[:tenth], np.random.default_rng(split_seed).permutation(fixed[tenth:])
    validation, train = rest[:tenth], rest[tenth:]
    train = train[: subset_count(subset, len(paths))]
    tasks = DATASETS["mtfl"].tasks
    chosen = tasks.index(task) if task != "all" else None
    own = labels if chosen is None else labels[:, chosen]

    def split(index: NDArray[np.integer]) -> Split:
        images = np.stack([_image(root / paths[i], side) for i in index])
        return as_split((images, own[index]), np.arange(len(index)))

    return Dataset(
        name="mtfl",
        train=split(train),
        validation=split(validation),
        test=split(test),
        classes=CLASSES if chosen is None else CLASSES[chosen],
        tasks=tasks if chosen is None else (),
    )


def _annotations(path: Path) -> tuple[list[str], NDArray[np.uint8]]:
    """The images' paths, and their labels (N, 4) counted from 0."""
    try:
        lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    except FileNotFoundError as error:
        raise DataError(
            f"data set `mtfl` not found: unpack MTFL.zip, which its authors publish, so that "
            f"{path.resolve()} is there (PARETOIB_DATA sets the data folder)"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} should be a readable text file; found: {error}") from error
    if len(lines) < 10:
        raise DataError(f"{path} should have ten lines or more; found {len(lines)}")
    labels = [_labels(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]
    # Written on Windows.
    return [line[0].replace("\\", "/") for line in lines], np.array(labels, np.uint8)


def _labels(line: list[str], where: str) -> list[int]:
    if len(line) != _FIELDS:
        raise DataError(
            f"{where} should be a path, 10 coordinates and {len(CLASSES)} labels; "
            f"found {len(line)} fields"
        )
    found = line[-len(CLASSES) :]
    allowed = [[str(label + 1) for label in range(count)] for count in CLASSES]
    if not all(label in few for label, few in zip(found, allowed, strict=True)):
        most = ", ".join(map(str, CLASSES))
        raise DataError(f"{where}: labels should be from 1 to {most}; found {' '.join(found)}")
    return [int(label) - 1 for label in found]


def _image(path: Path, side: int) -> NDArray[np.uint8]:
    """The image (3, side, side), resized."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            resized = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    except OSError as error:  # also what Pillow raises for a file that is no image
        raise DataError(f"{path} should be an image; found: {error}") from error
    return np.asarray(resized).transpose(2, 0, 1)
