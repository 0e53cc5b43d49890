"""Which errors of a store are retryable, and what their messages contain."""

import http.server
import socket
import socketserver
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
from sqlalchemy.exc import DBAPIError, OperationalError

from paretoib.errors import StoreError
from paretoib.tracking import StoreUnavailableError
from paretoib.tracking._mlflow.retryable import is_retryable, reason
from paretoib.tracking._mlflow.tracker import MLflowTracker

SWEEP = "0" * 32


def status(code: int, body: bytes = b"") -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    """A handler that responds with this HTTP status and body."""

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hang_up(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Close the connection without a response."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def send_nothing(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Keep the connection open without a response."""
    handler.connection.recv(1)


@contextmanager
def server(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """The URL of a server that responds to `/` with HTTP 200, and to other paths with `answer`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status(200)(self) if self.path == "/" else answer(self)

        def log_message(self, *_: object) -> None:
            pass

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://someone:secret@127.0.0.1:{serving.server_address[1]}"
        finally:
            serving.shutdown()
            thread.join()


BUSY = b'{"error_code": "TEMPORARILY_UNAVAILABLE", "message": "try again"}'
REFUSED = b'{"error_code": "PERMISSION_DENIED", "message": "not yours"}'


@pytest.mark.parametrize(
    ("answer", "retryable"),
    [
        (status(429), True),
        (status(500, b"oops"), True),
        (status(502, b"<html>Bad Gateway"), True),
        (status(503, BUSY), True),
        (hang_up, True),
        (send_nothing, True),
        (status(400, b'{"error_code": "BAD_REQUEST", "message": "a tag is too long"}'), False),
        (status(401, b"who are you?"), False),
        (status(403, REFUSED), False),
    ],
    ids=["429", "500", "502", "503", "closed", "no response", "400", "401", "403"],
)
def test_the_response_of_a_server_decides_whether_its_error_is_retryable(
    answer: Callable[[http.server.BaseHTTPRequestHandler], None],
    retryable: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error is a `StoreUnavailableError` only for a response after which a retry may succeed.

    The message is always one short line without the password of the address.
    """
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with server(answer) as address, pytest.raises(StoreError) as caught:
        MLflowTracker(address).ruler(SWEEP)
    assert isinstance(caught.value, StoreUnavailableError) is retryable
    message = str(caught.value)
    assert "cannot use the store http://127.0.0.1:" in message
    assert len(message) < 200
    assert "\n" not in message
    assert "secret" not in message


def test_the_reason_contains_no_password() -> None:
    """The reason is the first line of MLflow's message, without the password of the address."""
    text = reason(MlflowException("request to http://me:secret@host:5000/api failed\nand more"))
    assert text == "request to http://host:5000/api failed"


def test_a_server_that_has_ended_is_unavailable() -> None:
    """The error for a server that has ended is retryable, and its message has the reason."""
    with server(status(500)) as address:
        tracker = MLflowTracker(address)
    with pytest.raises(StoreUnavailableError, match="Connection refused"):
        tracker.ruler(SWEEP)


def locked(path: Path) -> None:
    """Write while another connection holds the write lock."""
    with closing(sqlite3.connect(path)) as other, closing(sqlite3.connect(path, timeout=0)) as own:
        other.execute("BEGIN IMMEDIATE")
        own.execute("INSERT INTO t VALUES (1)")


def full(path: Path) -> None:
    """Write to a database that has its maximum size."""
    with closing(sqlite3.connect(path)) as own:
        own.execute("PRAGMA max_page_count = 2")
        own.execute("INSERT INTO t VALUES (zeroblob(100000))")


def read_only(path: Path) -> None:
    """Write to a database that is open read-only."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as own:
        own.execute("INSERT INTO t VALUES (1)")


def no_such_table(path: Path) -> None:
    """Write to a table that does not exist."""
    with closing(sqlite3.connect(path)) as own:
        own.execute("INSERT INTO u VALUES (1)")


def no_such_folder(path: Path) -> None:
    """Open a database in a folder that does not exist."""
    with closing(sqlite3.connect(path.parent / "missing" / path.name)) as own:
        own.execute("INSERT INTO t VALUES (1)")


@pytest.mark.parametrize(
    ("write", "retryable"),
    [
        (locked, True),
        (full, False),
        (read_only, False),
        (no_such_table, False),
        (no_such_folder, False),
    ],
)
def test_a_lock_is_the_only_retryable_error_of_sqlite(
    write: Callable[[Path], None], retryable: bool, tmp_path: Path
) -> None:
    """A write to a locked database can be retried.

    Other errors of SQLite last until someone acts.
    """
    with closing(sqlite3.connect(tmp_path / "db")) as database:
        database.execute("CREATE TABLE t (x)")
    with pytest.raises(sqlite3.Error) as caught:
        write(tmp_path / "db")
    wrapped = RuntimeError("an error that a library raises instead")
    wrapped.__cause__ = caught.value
    for server in (False, True):
        assert is_retryable(wrapped, server=server) is retryable


@pytest.mark.parametrize(
    ("code", "retryable"),
    [
        *((code, True) for code in ("57P01", "08006", "40001", "53300", None)),
        *((code, False) for code in ("53100", "25006", "42P01", "28P01")),
    ],
)
@pytest.mark.parametrize("attribute", ["sqlstate", "pgcode"])
def test_the_sqlstate_decides_whether_an_error_of_a_database_server_is_retryable(
    code: str | None, retryable: bool, attribute: str
) -> None:
    """A lost connection or a busy server is retryable; a refused request is not.

    `code` is the SQLSTATE in the driver's error; None if the server did not respond. `attribute`
    differs between drivers.
    """
    driver = type("Error", (Exception,), {attribute: code})("server closed the connection\nagain")
    error = MlflowException("…", TEMPORARILY_UNAVAILABLE)
    error.__cause__ = OperationalError("…", {}, driver)
    assert is_retryable(error, server=False) is retryable
    assert reason(error) == "server closed the connection"


def test_a_connection_that_the_database_has_closed_is_retryable() -> None:
    """An error that SQLAlchemy marks as `connection_invalidated` is retryable.

    The message of the driver does not matter.
    """
    broken = DBAPIError("…", {}, Exception("already closed"), connection_invalidated=True)
    other = DBAPIError("…", {}, Exception("something else"))
    assert is_retryable(broken, server=False)
    assert not is_retryable(other, server=False)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (OSError(28, "No space left on device"), False),
        (PermissionError(13, "Permission denied"), False),
        (OSError(30, "Read-only file system"), False),
        (OSError(113, "No route to host"), True),
        (ConnectionResetError(104, "Connection reset by peer"), True),
        (TimeoutError("timed out"), True),
        (socket.gaierror(-3, "Temporary failure in name resolution"), True),
        (ValueError("something else"), False),
    ],
)
def test_network_errors_are_the_only_retryable_errors_of_the_system(
    error: Exception, retryable: bool
) -> None:
    """Network errors are retryable.

    Errors of disks and permissions, and unknown errors, are not.
    """
    assert is_retryable(error, server=False) is retryable
