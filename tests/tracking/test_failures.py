"""Which failures of a store pass by themselves, and what is said of them."""

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
from paretoib.tracking import StoreAwayError
from paretoib.tracking._mlflow.retryable import is_retryable, reason
from paretoib.tracking._mlflow.tracker import MLflowTracker

SWEEP = "0" * 32


def status(code: int, body: bytes = b"") -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    """Answers the question after a sweep with this."""

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hang_up(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Closes the connection instead."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def keep_silent(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Never answers."""
    handler.connection.recv(1)


@contextmanager
def server(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """The address of a server that answers like this to everything but whether it is there."""

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
    ("answer", "away"),
    [
        (status(429), True),
        (status(500, b"oops"), True),
        (status(502, b"<html>Bad Gateway"), True),
        (status(503, BUSY), True),
        (hang_up, True),
        (keep_silent, True),
        (status(400, b'{"error_code": "BAD_REQUEST", "message": "a tag is too long"}'), False),
        (status(401, b"who are you?"), False),
        (status(403, REFUSED), False),
    ],
    ids=["429", "500", "502", "503", "hang up", "silence", "400", "401", "403"],
)
def test_what_a_server_answers_says_whether_to_try_again(
    answer: Callable[[http.server.BaseHTTPRequestHandler], None],
    away: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not now, or not at all; told once, in one line, without the password."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with server(answer) as address, pytest.raises(StoreError) as caught:
        MLflowTracker(address).ruler(SWEEP)
    assert isinstance(caught.value, StoreAwayError) is away
    message = str(caught.value)
    assert "cannot use the store http://127.0.0.1:" in message
    assert len(message) < 200
    assert "\n" not in message
    assert "secret" not in message


def test_no_password_is_told() -> None:
    """MLflow's own words may have the whole address in them."""
    told = reason(MlflowException("request to http://me:secret@host:5000/api failed\nand more"))
    assert told == "request to http://host:5000/api failed"


def test_a_server_that_is_gone_is_away() -> None:
    """Connection refused, in so many words."""
    with server(status(500)) as address:
        tracker = MLflowTracker(address)
    with pytest.raises(StoreAwayError, match="Connection refused"):
        tracker.ruler(SWEEP)


def locked(path: Path) -> None:
    """Another connection writes."""
    with closing(sqlite3.connect(path)) as other, closing(sqlite3.connect(path, timeout=0)) as own:
        other.execute("BEGIN IMMEDIATE")
        own.execute("INSERT INTO t VALUES (1)")


def full(path: Path) -> None:
    """There is no room for another page."""
    with closing(sqlite3.connect(path)) as own:
        own.execute("PRAGMA max_page_count = 2")
        own.execute("INSERT INTO t VALUES (zeroblob(100000))")


def read_only(path: Path) -> None:
    """The database may be read alone."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as own:
        own.execute("INSERT INTO t VALUES (1)")


def no_such_table(path: Path) -> None:
    """The schema is another."""
    with closing(sqlite3.connect(path)) as own:
        own.execute("INSERT INTO u VALUES (1)")


def no_such_folder(path: Path) -> None:
    """The place of the database has gone."""
    with closing(sqlite3.connect(path.parent / "gone" / path.name)) as own:
        own.execute("INSERT INTO t VALUES (1)")


@pytest.mark.parametrize(
    ("fails", "away"),
    [
        (locked, True),
        (full, False),
        (read_only, False),
        (no_such_table, False),
        (no_such_folder, False),
    ],
)
def test_of_a_database_only_a_lock_passes(
    fails: Callable[[Path], None], away: bool, tmp_path: Path
) -> None:
    """What else goes wrong there stays wrong until someone acts."""
    with closing(sqlite3.connect(tmp_path / "db")) as database:
        database.execute("CREATE TABLE t (x)")
    with pytest.raises(sqlite3.Error) as caught:
        fails(tmp_path / "db")
    wrapped = RuntimeError("what a library makes of it")
    wrapped.__cause__ = caught.value
    for server in (False, True):
        assert is_retryable(wrapped, server=server) is away


@pytest.mark.parametrize(
    ("state", "away"),
    [
        *((gone, True) for gone in ("57P01", "08006", "40001", "53300", None)),
        *((refused, False) for refused in ("53100", "25006", "42P01", "28P01")),
    ],
)
@pytest.mark.parametrize("attribute", ["sqlstate", "pgcode"])
def test_of_a_database_server_what_it_refuses_does_not_pass(
    state: str | None, away: bool, attribute: str
) -> None:
    """By the standard's codes, as both drivers of PostgreSQL have them; without one it is gone."""
    driver = type("Error", (Exception,), {attribute: state})("server closed the connection\nagain")
    error = MlflowException("…", TEMPORARILY_UNAVAILABLE)
    error.__cause__ = OperationalError("…", {}, driver)
    assert is_retryable(error, server=False) is away
    assert reason(error) == "server closed the connection"


def test_a_connection_that_a_database_has_broken_off_passes() -> None:
    """Whatever the driver calls it."""
    broken = DBAPIError("…", {}, Exception("already closed"), connection_invalidated=True)
    other = DBAPIError("…", {}, Exception("something else"))
    assert is_retryable(broken, server=False)
    assert not is_retryable(other, server=False)


@pytest.mark.parametrize(
    ("error", "away"),
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
def test_of_the_systems_errors_the_networks_pass(error: Exception, away: bool) -> None:
    """Disk and rights do not, and what nobody has thought of does not either."""
    assert is_retryable(error, server=False) is away
