"""Where the store is, and whether it can be used; found out without MLflow.

MLflow itself would try for a minute or more before it gave up on a folder that cannot be written
or on a server that is down.
"""

import fcntl
import os
import re
import sqlite3
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from paretoib.errors import NotFoundError, StoreAwayError, StoreError
from paretoib.settings import settings
from paretoib.tracking._tracker import File

_SQLITE = "sqlite:///"


def tracking_uri() -> str:
    """The configured MLflow address; by default the SQLite database in the store's folder."""
    return settings().tracking_uri or f"{_SQLITE}{settings().store.absolute() / 'mlflow.db'}"


def artifact_root(uri: str) -> Path:
    """The folder of artefacts, for a store that is a database and not a server.

    They lie beside an SQLite file, and for any other database in the store's folder.
    """
    beside = Path(uri.removeprefix(_SQLITE)).parent if uri.startswith(_SQLITE) else settings().store
    return beside.absolute() / "artifacts"


def is_server(uri: str) -> bool:
    """Whether an MLflow server answers at this address, and keeps the artefacts too."""
    return uri.startswith(("http://", "https://"))


def shown(uri: str) -> str:
    """The address as it may be printed: without user and password."""
    return re.sub(r"//[^@/]*@", "//", uri).removeprefix(_SQLITE)


def journal_folder(uri: str) -> Path:
    """Where the journals of a store's sweeps lie, on this machine.

    As the settings say, or beside an SQLite file; for any other store in the folder where the
    system keeps a user's state, so that it does not matter from where a sweep is resumed.
    """
    if configured := settings().journal:
        return configured.absolute()
    if uri.startswith(_SQLITE):
        return Path(uri.removeprefix(_SQLITE)).parent.absolute() / "journal"
    try:
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise StoreError("without a home directory PARETOIB_JOURNAL should be a folder") from error
    return Path(state, "paretoib", "journal", sha256(shown(uri).encode()).hexdigest()[:16])


@contextmanager
def ready(uri: str) -> Iterator[str]:
    """Check that the store can be written, and hold others off while it is opened; its address.

    A new SQLite file gets its tables when it is opened, and two processes must not both make
    them. Raises `StoreError` in one plain line.
    """
    if not uri.startswith(_SQLITE):
        with readable(uri):
            yield uri
        return
    path = Path(uri.removeprefix(_SQLITE))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("w")
    except OSError as error:
        raise StoreError(f"cannot write the store {path}: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _check_writable(path)
        yield uri


@contextmanager
def readable(uri: str) -> Iterator[str]:
    """Check that the store can be read, and wait while it is being made; its address.

    Nothing is written. Raises `StoreError`, and `NotFoundError` where no SQLite store is yet.
    """
    if is_server(uri):
        _check_answers(uri)
    if not uri.startswith(_SQLITE):
        yield uri
        return
    path = Path(uri.removeprefix(_SQLITE)).absolute()
    with ExitStack() as stack:
        try:
            if not path.stat().st_size:
                raise FileNotFoundError
            with suppress(FileNotFoundError):
                lock = stack.enter_context(path.with_suffix(".lock").open())
                fcntl.flock(lock, fcntl.LOCK_SH)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(f"there is no store {path} yet") from error
        except OSError as error:
            raise StoreError(f"cannot read the store {path}: {error.strerror}") from error
        yield uri if _is_writable(path) else _read_only(path)


def local_folder(artifact_uri: str) -> Path | None:
    """The folder of a run's artefacts, where it is one of this machine's."""
    if not artifact_uri.startswith("file://"):
        return None
    return Path(url2pathname(urlsplit(artifact_uri).path))


def write_files(folder: Path, files: Sequence[File]) -> None:
    """Put files into a folder; a reader sees each whole, or as it was before."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        unfinished = folder / f".{file.name}.part"
        unfinished.write_bytes(file.content)
        unfinished.replace(folder / file.name)


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _read_only(path: Path) -> str:
    """The address of a database beside which SQLite can make no files of its own.

    Where a writer has made them they are used; where there are none, nobody is writing. The
    driver is named because MLflow would take the plain form for a path, and make its folders.
    """
    beside = path.with_name(f"{path.name}-wal").exists()
    return f"sqlite+pysqlite:///{path.as_uri()}?{'mode=ro' if beside else 'immutable=1'}&uri=true"


def _check_writable(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=20)) as database:
            # Kept in the file: readers do not wait for the writer, and a commit syncs once.
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        raise StoreError(f"cannot write the store {path}: {error}") from error


def _check_answers(uri: str) -> None:
    try:
        urllib.request.urlopen(shown(uri), timeout=10).close()
    except urllib.error.HTTPError:
        pass  # An answer, if not to this question.
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        # MLflow has its own settings for certificates.
        if not isinstance(reason, ssl.SSLError):
            raise StoreAwayError(f"no MLflow server answers at {shown(uri)}: {reason}") from error
