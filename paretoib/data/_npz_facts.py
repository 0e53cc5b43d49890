"""What a spec records of a file of arrays: its path, its digest, and the facts that models need."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from paretoib.data._labelled_arrays import NAMES, check_arrays
from paretoib.data._npz_file import Arrays, digest, read_npz, save_npz
from paretoib.documents import did_you_mean, preview
from paretoib.errors import DataError, SpecError


def complete(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of a data section `npz`, with the absolute path and the facts of the file.

    Fields that already have the facts are returned as they are, so that a stored spec can be read
    where the file is not.

    Raises:
        SpecError: there is no path, or the file does not have the given digest.
        DataError: the file is missing or unreadable, or its arrays do not fit.
    """
    path = fields.get("path")
    if not isinstance(path, str) or not path:
        raise SpecError(
            "data.path: should be the path of an .npz file, as in `npz:PATH`; "
            f"found {preview(path)}"
        )
    if fields.get("sha256") and fields.get("classes"):
        return fields
    absolute = Path(path).expanduser().resolve()
    try:
        status = absolute.stat()
    except OSError as error:
        raise DataError(
            f"{absolute}: should be a readable .npz file; found: {error.strerror}"
        ) from error
    facts = _facts(absolute, status.st_mtime_ns, status.st_size)
    given = fields.get("sha256")
    if given and given != facts["sha256"]:
        raise SpecError(
            f"data.sha256: should be that of {absolute}, {facts['sha256']}; found {preview(given)}"
        )
    return {**fields, "path": str(absolute), **facts}


def facts_of(arrays: Arrays) -> dict[str, Any]:
    """The facts of the arrays of a file: `sha256`, `kind`, `classes`, `tasks`."""
    checked = check_arrays(arrays)
    checked.splits(0)  # raises an error for a split that is too small
    return {
        "sha256": digest(arrays),
        "kind": checked.kind,
        "classes": checked.classes,
        "tasks": checked.tasks,
    }


def save_arrays(arrays: Arrays, folder: Path) -> Path:
    """Check arrays and write them to a file in a folder; returns the path.

    Equal arrays get the same file.

    Raises:
        DataError: the arrays do not fit, or the folder cannot be written.
    """
    for name in arrays.keys() - {*NAMES}:
        raise DataError(
            f"arrays: should be among {', '.join(NAMES)}; found `{name}`{did_you_mean(name, NAMES)}"
        )
    return save_npz(arrays, folder, facts_of(arrays)["sha256"][:16])


@lru_cache(maxsize=4)
def _facts(path: Path, modified: int, size: int) -> dict[str, Any]:  # noqa: ARG001
    """The facts of a file, read once for each state of the file."""
    return facts_of(read_npz(path, NAMES))
