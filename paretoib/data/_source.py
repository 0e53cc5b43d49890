"""Official files of image data sets: lookup, download and checksums."""

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from paretoib.errors import DataError

Parse = Callable[[bytes, Path], NDArray[np.uint8]]


@dataclass(frozen=True)
class Source:
    """The official files of a data set and their locations.

    Each file is read, plain or as .gz, from `folder` in the data folder, or from `system`, the
    directory of the Debian package `package`. A file in neither place is downloaded from the first
    of `mirrors` that has the file. `md5` holds the checksum of each decompressed file; `downloads`
    maps each file to its archive (a .gz or a .tar.gz) and the archive's checksum. `train` and
    `test` are the official numbers of examples. `validation` is the number of official training
    examples that form the validation split.
    """

    name: str
    folder: str
    md5: Mapping[str, str]
    downloads: Mapping[str, tuple[str, str]]
    mirrors: tuple[str, ...]
    system: Path | None = None
    package: str = ""
    train: int = 60_000
    test: int = 10_000
    validation: int = 10_000
    timeout_seconds: float = 5.0

    def read(self, file: str, folder: Path, parse: Parse) -> NDArray[np.uint8]:
        """The parsed content of `file`; a missing file is downloaded into the data folder `folder`.

        The format is checked before the checksum, because the errors of `parse` are more precise.

        Raises:
            DataError: the file is missing and cannot be downloaded, is unreadable, or differs from
                the published one.
        """
        path, content = self._find(file, folder) or self._download(file, folder)
        parsed = parse(content, path)
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if digest != self.md5[file]:
            raise DataError(
                f"corrupt file {path}: the md5 of its content should be {self.md5[file]}; "
                f"found {digest}"
            )
        return parsed

    def _find(self, file: str, folder: Path) -> tuple[Path, bytes] | None:
        """Path and decompressed content of `file` on this machine; None if it is missing."""
        directories = [folder / self.folder, *([self.system] if self.system else [])]
        names = (file, f"{file}.gz")
        for path in [directory / name for directory in directories for name in names]:
            try:
                content = path.read_bytes()
                return path, gzip.decompress(content) if path.suffix == ".gz" else content
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise DataError(
                    f"corrupt file {path}: should be a complete gzip file; found: {error}"
                ) from error
            except OSError as error:
                raise DataError(
                    f"{path} should be a readable file; found: {error.strerror}"
                ) from error
        return None

    def _download(self, file: str, folder: Path) -> tuple[Path, bytes]:
        """Download `file` into the data folder, from the first mirror that has it."""
        import pooch  # slow to import and rarely needed

        name, md5 = self.downloads[file]
        target = folder / self.folder
        reasons = []
        for mirror in self.mirrors:
            try:
                pooch.retrieve(
                    mirror + name,
                    known_hash=f"md5:{md5}",
                    fname=name,
                    path=target,
                    downloader=pooch.HTTPDownloader(timeout=self.timeout_seconds),
                )
                if name.endswith(".tar.gz"):
                    _unpack(target / name, self.md5)
            except (OSError, ValueError, tarfile.TarError) as error:
                reasons.append(f"{mirror}: {_reason(error)}")
            else:
                if downloaded := self._find(file, folder):
                    return downloaded
                reasons.append(f"{mirror}: {name} does not contain {file}")
        raise DataError(self._not_found(folder, " ".join("; ".join(reasons).split())))

    def _not_found(self, folder: Path, reason: str) -> str:
        """The error message, which says how to get the files; `reason` is the download's error."""
        remedies = [
            f"put {', '.join(self.md5)} (each plain or .gz) into {(folder / self.folder).resolve()}"
            " (PARETOIB_DATA sets the data folder)",
            f"allow the download, which failed ({reason})",
        ]
        if self.package:
            remedies.insert(1, f"on Debian or Ubuntu `apt install {self.package}`")
        return f"data set `{self.name}` not found; either " + ", or ".join(remedies)


def _reason(error: Exception) -> object:
    """The cause of a connection error, without the text about retries; otherwise `error`."""
    return getattr(next(iter(error.args), None), "reason", error)


def _unpack(archive: Path, files: Mapping[str, str]) -> None:
    """Extract `files` into the archive's directory, each atomically, and delete the archive."""
    with TemporaryDirectory(dir=archive.parent) as temporary:
        with tarfile.open(archive) as tar:
            tar.extractall(temporary, filter="data")
        for path in sorted(Path(temporary).rglob("*")):
            if path.name in files and path.is_file():
                path.replace(archive.parent / path.name)
    archive.unlink(missing_ok=True)
