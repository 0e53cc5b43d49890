"""Where an image data set's official files come from, and how they are known to be genuine."""

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
    """The official files of a data set, and the places to find them.

    Files are looked for, plain or as .gz, in `folder` of the data folder, then in `system`, where
    the Debian package `package` puts them; else they are downloaded from the first of `mirrors`
    that answers. `md5` holds each file's checksum, decompressed; `downloads` holds for each file
    what is downloaded for it (a .gz or a .tar.gz) and that one's checksum. `train` and `test` are
    the official numbers of examples; `validation` of the training ones are held back.
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
        """The parsed content of `file`, found under the data folder `folder` or fetched into it.

        The format is checked first, as `parse` can say what is wrong with a file; the checksum
        then finds what the format cannot show.

        Raises:
            DataError: the file cannot be had or read, or is not what the authors published.
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
        """Path and decompressed content of `file` in the first place that has it."""
        places = [folder / self.folder, *([self.system] if self.system else [])]
        for path in [place / name for place in places for name in (file, f"{file}.gz")]:
            try:
                content = path.read_bytes()
                return path, gzip.decompress(content) if path.suffix == ".gz" else content
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise DataError(
                    f"corrupt file {path}: should be a whole gzip file; found: {error}"
                ) from error
            except OSError as error:
                raise DataError(
                    f"{path} should be a readable file; found: {error.strerror}"
                ) from error
        return None

    def _download(self, file: str, folder: Path) -> tuple[Path, bytes]:
        """Fetch `file` into the data folder, from the first mirror that answers."""
        import pooch  # as slow to load as it is seldom needed

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
                if found := self._find(file, folder):
                    return found
                reasons.append(f"{mirror}: {name} does not hold {file}")
        raise DataError(self._absent(folder, " ".join("; ".join(reasons).split())))

    def _absent(self, folder: Path, reason: str) -> str:
        ways = [
            f"put {', '.join(self.md5)} (each plain or .gz) into {(folder / self.folder).resolve()}"
            " (PARETOIB_DATA sets the data folder)",
            f"allow the download, which failed ({reason})",
        ]
        if self.package:
            ways.insert(1, f"on Debian or Ubuntu `apt install {self.package}`")
        return f"data set `{self.name}` not found; either " + ", or ".join(ways)


def _reason(error: Exception) -> object:
    """What went wrong; of a connection's error, the cause without the retries around it."""
    return getattr(next(iter(error.args), None), "reason", error)


def _unpack(archive: Path, files: Mapping[str, str]) -> None:
    """Move `files` out of `archive` beside it, each whole or not at all, and delete the archive."""
    with TemporaryDirectory(dir=archive.parent) as scratch:
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
        for path in sorted(Path(scratch).rglob("*")):
            if path.name in files and path.is_file():
                path.replace(archive.parent / path.name)
    archive.unlink(missing_ok=True)
