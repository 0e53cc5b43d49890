"""What a store's failure means: whether to try again, or to tell the person at once.

Passes by itself, so that the same call is worth trying again: a server that is gone or cannot be
reached (refused, reset, timed out, no route, no name), that answers "not now" (HTTP 408, 429 and
5xx), a database that another connection holds, or that has broken the connection off.
Does not: disk full, read-only, no permission, a damaged or foreign schema, what a server refuses
(other 4xx), a certificate; nothing changes there until someone acts. Of an MLflow server, what is
neither is taken for the former, as it may be its database's trouble; of anything else for the
latter: better to stop early than to try for ever.
"""

import errno
import re
import socket
import sqlite3
import ssl
from collections.abc import Iterator

_NETWORK = {
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.EAGAIN,
}
_HELD = ("SQLITE_BUSY", "SQLITE_LOCKED")
# Of databases with a server, by SQLSTATE: access refused, no such thing, disk full, read-only.
_REFUSED = ("28", "42", "3D", "53100", "25006")
_TELLING = (ConnectionError, TimeoutError, sqlite3.Error)


def passes(error: Exception, *, server: bool) -> bool:
    """Whether a failure may pass by itself; `server`: of an MLflow server, not of a database."""
    for cause in _causes(error):
        if isinstance(cause, sqlite3.Error):
            return getattr(cause, "sqlite_errorname", "").startswith(_HELD)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return False
        if isinstance(cause, (ConnectionError, TimeoutError, socket.gaierror)):
            return True
        if isinstance(cause, OSError) and cause.errno is not None:
            return cause.errno in _NETWORK
        if state := _sqlstate(cause):
            return not state.startswith(_REFUSED)
        # SQLAlchemy's word for a connection that the database has broken off.
        if getattr(cause, "connection_invalidated", False):
            return True
    # MLflow's own error, by its HTTP status: the server's word, or 500 for "not now" and for none.
    if server:
        return bool(getattr(error, "get_http_status_code", lambda: 0)() >= 500)
    # MLflow says so of what a database calls an operational error: a connection that broke.
    return getattr(error, "error_code", "") == "TEMPORARILY_UNAVAILABLE"


def reason(error: Exception) -> str:
    """What went wrong, in one line, without user and password of an address."""
    said: object = error
    for cause in _causes(error):
        # Of a network's or a database's error the innermost words say most.
        if isinstance(cause, OSError) and cause.strerror:
            said = f"{cause.strerror}: {cause.filename}" if cause.filename else cause.strerror
        elif isinstance(cause, _TELLING):
            said = cause
        elif driver := getattr(cause, "orig", None):
            said = driver
        elif type(cause).__module__ == "urllib3.exceptions":
            said = cause.args[-1]
    line = str(said).strip().partition("\n")[0]
    return re.sub(r"//[^@/\s]*@", "//", line)


def _sqlstate(error: BaseException) -> str | None:
    """Of SQLAlchemy's errors, as the database's driver has it, whichever that is."""
    driver = getattr(error, "orig", None)
    return getattr(driver, "sqlstate", None) or getattr(driver, "pgcode", None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
