"""Files of NumPy arrays (.npz). Pickled objects are never loaded, because they can run code."""

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from paretoib.documents import did_you_mean
from paretoib.errors import DataError

Arrays = Mapping[str, NDArray[Any]]


def read_npz(path: Path, names: Collection[str]) -> dict[str, NDArray[Any]]:
    """The arrays of a file; their names should be among `names`.

    Raises:
        DataError: the file is missing, is no complete .npz, or has another array or Python objects.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise DataError(f"{path}: should be an .npz file with named arrays; found one array")
        with loaded as file:
            for name in file.files:
                if name not in names:
                    raise DataError(
                        f"{path}: its arrays should be among {', '.join(names)}; found `{name}`"
                        f"{did_you_mean(name, names)}"
                    )
            return {name: _array(path, file, name) for name in file.files}
    except OSError as error:
        raise DataError(
            f"{path}: should be a readable .npz file; found: {error.strerror}"
        ) from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path}: should be a complete .npz file, as `numpy.savez` writes it; "
            f"found: {' '.join(str(error).split())[:100]}"
        ) from error


def _array(path: Path, file: Mapping[str, Any], name: str) -> NDArray[Any]:
    try:
        array = file[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise DataError(
            f"{path}: array `{name}` should have numbers or text; found Python objects, which are "
            "never loaded because they can run code"
        ) from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: `{name}` should be an array; found other content")
    return array


def digest(arrays: Arrays) -> str:
    """The SHA-256 of names, types, shapes and values, the same for every copy of the arrays."""
    total = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return total.hexdigest()


def save_npz(arrays: Arrays, folder: Path, name: str) -> Path:
    """Write the arrays to the file `name`.npz in a folder; a file that exists is left as it is.

    Raises `DataError` if the folder cannot be written.
    """
    path, named = folder / f"{name}.npz", cast(Any, arrays)
    if path.exists():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(".tmp", path.stem, folder)
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **named)
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{path}: should be writable; found: {error.strerror}") from error
    return path
