"""MTFL: faces with four tasks: gender, smile, glasses and pose.

Zhang, Luo, Loy, Tang: Facial Landmark Detection by Deep Multi-task Learning, 2014. Users download
MTFL themselves. The folder `MTFL` in the data folder must have the file `training.txt` and the
folders of images. Each line of `training.txt` holds a path, ten coordinates of landmarks, and
the four labels, counted from 1.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paretoib.data import DATASETS
from paretoib.data._dataset import Dataset, Split
from paretoib.data._images import as_split, subset_count
from paretoib.errors import DataError

FOLDER, FILE = "MTFL", "training.txt"
CLASSES = (2, 2, 2, 5)  # numbers of classes of gender, smile, glasses, pose
_FIELDS = 1 + 10 + len(CLASSES)


def load(*, folder: Path, task: str, side: int, subset: float, split_seed: int) -> Dataset:
    """Colour images (3, side, side) in [0, 1].

    The test split is a tenth of the images, the same for every seed; mtvib also has 1 000 test
    images. `split_seed` chooses another tenth as the validation split. The training split has
    `subset` times the number of all images, but at most all remaining images. If `task` is not
    "all", Y is the label of this task alone.

    Raises:
        DataError: the download is missing, or not in the published layout.
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
    targets = labels if chosen is None else labels[:, chosen]

    def split(index: NDArray[np.integer]) -> Split:
        images = np.stack([_image(root / paths[i], side) for i in index])
        return as_split((images, targets[index]), np.arange(len(index)))

    return Dataset(
        name="mtfl",
        train=split(train),
        validation=split(validation),
        test=split(test),
        classes=CLASSES if chosen is None else CLASSES[chosen],
        tasks=tasks if chosen is None else (),
    )


def _annotations(path: Path) -> tuple[list[str], NDArray[np.uint8]]:
    """The paths of the images, and their labels (N, 4), counted from 0.

    Raises:
        DataError: the file is missing, unreadable, or not in the published layout.
    """
    try:
        lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    except FileNotFoundError as error:
        raise DataError(
            "data set `mtfl` not found: download MTFL.zip from its authors and unpack it so that "
            f"{path.resolve()} exists (PARETOIB_DATA sets the data folder)"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} should be a readable text file; found: {error}") from error
    if len(lines) < 10:
        raise DataError(f"{path} should have ten lines or more; found {len(lines)}")
    labels = [_labels(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]
    # The published file has Windows paths.
    return [line[0].replace("\\", "/") for line in lines], np.array(labels, np.uint8)


def _labels(line: list[str], where: str) -> list[int]:
    if len(line) != _FIELDS:
        raise DataError(
            f"{where} should be a path, 10 coordinates and {len(CLASSES)} labels; "
            f"found {len(line)} fields"
        )
    labels = line[-len(CLASSES) :]
    allowed = [[str(label + 1) for label in range(count)] for count in CLASSES]
    if not all(label in values for label, values in zip(labels, allowed, strict=True)):
        ranges = ", ".join(f"1–{count}" for count in CLASSES)
        raise DataError(f"{where}: labels should be in {ranges}; found {' '.join(labels)}")
    return [int(label) - 1 for label in labels]


def _image(path: Path, side: int) -> NDArray[np.uint8]:
    """The image (3, side, side), resized.

    Raises:
        DataError: the file cannot be read as an image.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            resized = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    except OSError as error:  # Pillow's UnidentifiedImageError is an OSError too
        raise DataError(f"{path} should be an image; found: {error}") from error
    return np.asarray(resized).transpose(2, 0, 1)
