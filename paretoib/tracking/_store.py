"""Where the store is, and whether it can be used; found out without MLflow.

MLflow itself would try for a minute or more before it gave up on a folder that cannot be written
or on a server that is down.
"""

import fcntl
import re
import sqlite3
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from paretoib.errors import StoreError
from paretoib.settings import settings
from paretoib.tracking._tracker import Picture

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


@contextmanager
def ready(uri: str) -> Iterator[None]:
    """Check that the store can be used, and hold others off while it is opened.

    A new SQLite file gets its tables when it is opened, and two processes must not both make
    them. Raises `StoreError` in one plain line.
    """
    if is_server(uri):
        _check_answers(uri)
        yield
    elif uri.startswith(_SQLITE):
        path = Path(uri.removeprefix(_SQLITE))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.with_suffix(".lock").open("w")
        except OSError as error:
            raise StoreError(f"cannot write the store {path}: {error.strerror}") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _check_writable(path)
            yield
    else:
        yield


def write_files(folder_uri: str, files: Sequence[Picture]) -> None:
    """Put files into a local folder; a reader sees each whole, or as it was before."""
    folder = Path(url2pathname(urlsplit(folder_uri).path))
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        unfinished = folder / f".{file.name}.part"
        unfinished.write_bytes(file.content)
        unfinished.replace(folder / file.name)


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
            raise StoreError(f"no MLflow server answers at {shown(uri)}: {reason}") from error
