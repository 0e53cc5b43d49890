"""The location of the store, and checks without MLflow that the store can be used.

MLflow may retry for a minute or more before it reports a read-only folder or a server that is down.
"""

import fcntl
import os
import re
import shutil
import sqlite3
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from hashlib import sha256
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from paretoib.errors import NotFoundError, StoreError, StoreUnavailableError
from paretoib.settings import settings
from paretoib.tracking._tracker import File
from paretoib.trained import MODEL_FILE

_SQLITE = "sqlite:///"


def tracking_uri() -> str:
    """The configured address of MLflow; by default the SQLite database in the store's folder."""
    return settings().tracking_uri or sqlite_uri(settings().store.absolute() / "mlflow.db")


def sqlite_uri(path: Path) -> str:
    """The address of an SQLite file. SQLAlchemy decodes `%XX` and reads options after `?`."""
    return _SQLITE + str(path).replace("%", "%25").replace("?", "%3F")


def mlflow_address(uri: str) -> str:
    """The address to pass to MLflow, which names a driver in two cases.

    In an SQLite address without a driver, MLflow would not decode `%XX`. For PostgreSQL without a
    driver, SQLAlchemy would use psycopg; if it is not installed, psycopg2 is named, which our extra
    `postgres` installs.
    """
    if file := sqlite_file(uri):
        # Absolute, because MLflow's UI has another working directory.
        absolute = uri if "?" in uri else sqlite_uri(file)
        return absolute.replace("sqlite:", "sqlite+pysqlite:", 1) if "%" in uri else absolute
    if uri.startswith("postgresql:") and not find_spec("psycopg"):
        return uri.replace("postgresql:", "postgresql+psycopg2:", 1)
    return uri


def sqlite_file(uri: str) -> Path | None:
    """The file of a store in SQLite; None for any other store."""
    if not uri.startswith(_SQLITE):
        return None
    return Path(unquote(uri.removeprefix(_SQLITE).partition("?")[0])).absolute()


def artifact_root(uri: str) -> Path:
    """The folder of artifacts, for a store that is a database and not a server.

    It is beside the file of an SQLite store. For any other database it is in `PARETOIB_STORE`.
    """
    file = sqlite_file(uri)
    return (file.parent if file else settings().store.absolute()) / "artifacts"


def artifact_folder(uri: str, artifact_uri: str) -> Path | None:
    """The folder of a run's artifacts; None if the artifacts are not in a local folder.

    `artifact_uri` is absolute and ends with artifacts/EXPERIMENT/RUN/artifacts. The artifacts of an
    SQLite store are beside the database file, even after the store was moved.
    """
    if not artifact_uri.startswith("file://"):
        return None
    folder = Path(url2pathname(urlsplit(artifact_uri).path))
    if sqlite_file(uri) and folder.parts[-4:-3] == ("artifacts",):
        return artifact_root(uri).joinpath(*folder.parts[-3:])
    return folder


def is_server(uri: str) -> bool:
    """Whether the address is that of an MLflow server, which stores the artifacts too."""
    return uri.startswith(("http://", "https://"))


def masked(uri: str) -> str:
    """The address for messages: without user and password, and for SQLite only the path."""
    return str(sqlite_file(uri) or re.sub(r"//[^@/]*@", "//", uri))


def journal_folder(uri: str) -> Path:
    """The folder on this machine for the journals of a store's sweeps.

    It is `PARETOIB_JOURNAL`. If that is not set, the folder is beside the SQLite file or, for any
    other store, in the user's state folder, so that a sweep can be resumed from any working
    directory.
    """
    if configured := settings().journal:
        return configured.absolute()
    try:
        return _local_folder(uri, "journal")
    except RuntimeError as error:
        raise StoreError(
            "PARETOIB_JOURNAL should be set, because there is no home directory"
        ) from error


def log_folder(uri: str) -> Path:
    """The folder on this machine for the logs of a store's sweeps.

    It is beside the SQLite file or, for any other store, in the user's state folder; without a home
    directory, in `PARETOIB_STORE`.
    """
    try:
        return _local_folder(uri, "logs")
    except RuntimeError:
        return settings().store.absolute() / "logs"


def _local_folder(uri: str, name: str) -> Path:
    if file := sqlite_file(uri):
        return file.parent / name
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state, "paretoib", name, sha256(masked(uri).encode()).hexdigest()[:16])


@contextmanager
def writable(uri: str) -> Iterator[str]:
    """Check the store, and lock an SQLite store in this context; yields the address for MLflow.

    An SQLite file must be writable, and a server must answer; other databases are not checked here.
    MLflow creates the tables of a new SQLite file when it opens the file; two processes must not
    both create them. Raises `StoreError`.
    """
    if (path := sqlite_file(uri)) is None:
        with readable(uri) as address:
            yield address
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("w")
    except OSError as error:
        raise StoreError(f"cannot write the store {path}: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _check_writable(path)
        _move_artifact_locations(path, artifact_root(uri))
        yield mlflow_address(uri)


@contextmanager
def readable(uri: str) -> Iterator[str]:
    """Check the store, and wait while an SQLite store is created; yields the address for MLflow.

    Nothing is written. Raises `StoreError`, and `NotFoundError` if there is no SQLite file yet.
    """
    if is_server(uri):
        _check_answers(uri)
    if (path := sqlite_file(uri)) is None:
        yield mlflow_address(uri)
        return
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
        yield mlflow_address(uri) if _is_writable(path) else _read_only(path)


def write_files(folder: Path, files: Sequence[File]) -> None:
    """Write files atomically: a reader sees the old or the new content, never a part."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        unfinished = folder / f".{file.name}.part"
        unfinished.write_bytes(file.content)
        unfinished.replace(folder / file.name)


def write_model(folder: Path, content: bytes | Path, description: File) -> None:
    """Write a model file and its description; on the same disk, the file is linked, not copied."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / MODEL_FILE
    path.unlink(missing_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        try:
            path.hardlink_to(content)
        except OSError:  # another disk, or a disk without links
            shutil.copyfile(content, path)
    write_files(folder, [description])


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def sqlite_reading_uri(path: Path) -> str:
    """SQLite's own URI to read a database, also where this process cannot write file or folder.

    There, the database is opened read-only if a write-ahead log exists. Without a log no process
    writes, and the database is opened as immutable.
    """
    if _is_writable(path):
        mode = "mode=rw"
    else:
        has_log = path.with_name(f"{path.name}-wal").exists()
        mode = "mode=ro" if has_log else "immutable=1"
    return f"{path.as_uri()}?{mode}"


def _read_only(path: Path) -> str:
    """MLflow's address of an SQLite database whose file or folder this process cannot write.

    The address names the driver (`+pysqlite`), because MLflow would take an address without a
    driver as a path and create the path's folders.
    """
    # SQLAlchemy decodes `%XX` first, then SQLite does.
    address = sqlite_reading_uri(path).replace("%", "%25")
    return f"sqlite+pysqlite:///{address}&uri=true"


def _check_writable(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=20)) as database:
            # With a write-ahead log, readers do not wait for the writer, and a commit syncs once.
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        raise StoreError(f"cannot write the store {path}: {error}") from error


def _move_artifact_locations(path: Path, root: Path) -> None:
    """Correct the artifact locations in a store that was moved, for MLflow's own UI and client.

    MLflow stores locations as absolute addresses and cannot change them.
    """
    try:
        with closing(sqlite3.connect(path, timeout=20)) as database, database:
            tables = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'")
            if not tables.fetchone():
                return
            moved = database.execute(
                "SELECT experiment_id, artifact_location, ? || '/' || name FROM experiments "
                "WHERE name LIKE 'paretoib-%' "
                "AND artifact_location LIKE 'file://%/artifacts/' || name "
                "AND artifact_location != ? || '/' || name",
                (root.as_uri(), root.as_uri()),
            ).fetchall()
            for experiment, before, now in moved:
                database.execute(
                    "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) "
                    "WHERE experiment_id = ? AND substr(artifact_uri, 1, ?) = ?",
                    (now, len(before) + 1, experiment, len(before), before),
                )
                database.execute(
                    "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?",
                    (now, experiment),
                )
    except sqlite3.Error as error:
        raise StoreError(f"cannot write the store {path}: {error}") from error


def _check_answers(uri: str) -> None:
    try:
        urllib.request.urlopen(masked(uri), timeout=10).close()
    except urllib.error.HTTPError:
        pass  # The server has answered, with an HTTP error.
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        # MLflow has its own settings for certificates, and checks them itself.
        if not isinstance(reason, ssl.SSLError):
            raise StoreUnavailableError(
                f"no MLflow server answers at {masked(uri)}: {reason}"
            ) from error
