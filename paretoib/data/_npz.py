"""A user's own arrays as a data set."""

from pathlib import Path
from typing import Any

import torch

from paretoib.data._dataset import Dataset, Split
from paretoib.data._labelled_arrays import NAMES, LabelledArrays, check_arrays
from paretoib.data._npz_facts import facts_of
from paretoib.data._npz_file import read_npz
from paretoib.errors import DataError, SpecError


def load(
    *,
    folder: Path,  # noqa: ARG001
    path: str,
    sha256: str,
    kind: str,
    classes: tuple[int, ...],
    tasks: tuple[str, ...],
    task: str,
    split_seed: int,
) -> Dataset:
    """The arrays of a file, whose digest should be `sha256` unless that is empty.

    `kind`, `classes` and `tasks` should be those of the file. See `load_npz`.

    Raises:
        DataError: the file is missing or unreadable, or its content has changed.
        SpecError: there is no such task, or another field is not that of the file.
    """
    found = facts_of(arrays := read_npz(Path(path), NAMES))
    if sha256 and found["sha256"] != sha256:
        raise DataError(
            f"{path}: its arrays should be those with which the sweep began, with sha256 "
            f"{sha256[:12]}…; found {found['sha256'][:12]}…: restore the file, or begin a new sweep"
        )
    for name, value in {"kind": kind, "classes": classes, "tasks": tasks}.items():
        if sha256 and found[name] != value:
            raise SpecError(
                f"data.{name}: should be that of the file, {found[name]}; found {value}"
            )
    return _dataset("npz", check_arrays(arrays), task, split_seed)


def load_npz(path: Path, *, name: str, task: str = "all", split_seed: int = 0) -> Dataset:
    """A data set from the arrays x and y of a file, for the loader of a plugin.

    `check_arrays` says which arrays the file may have, and `LabelledArrays.splits` how they are
    split. x of type uint8 is divided by 255; other types are only converted to float32. `name` is
    that of the data set. With several tasks, `task` selects one of them, or all.

    Raises:
        DataError: the file is missing or unreadable, or its arrays do not fit.
        SpecError: there is no such task.
    """
    return _dataset(name, check_arrays(read_npz(path, NAMES)), task, split_seed)


def _dataset(name: str, arrays: LabelledArrays, task: str, split_seed: int) -> Dataset:
    tasks, y = arrays.tasks, arrays.y
    classes: Any = arrays.classes if tasks else arrays.classes[0]
    if task != "all":
        if task not in tasks:
            known = ", ".join(("all", *tasks))
            raise SpecError(f"data.task: should be one of {known}; found `{task}`")
        column = tasks.index(task)
        tasks, y, classes = (), y[:, column], arrays.classes[column]
    scale = 255 if arrays.x.dtype.name == "uint8" else 1

    def split(index: Any) -> Split:
        x = torch.from_numpy(arrays.x[index].astype("float32"))
        return Split(x.div_(scale), torch.from_numpy(y[index]))

    train, validation, test = map(split, arrays.splits(split_seed))
    return Dataset(name, train, validation, test, classes=classes, tasks=tasks)
