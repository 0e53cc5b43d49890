"""Decide whether to retry a failed call to the store, and describe the failure in one line.

Retryable:

- a server that cannot be reached: refused, reset, timed out, no route, name not resolved;
- an MLflow server that asks to retry later (HTTP 408, 429, 5xx); the server's database may be the
  cause of a 500;
- a database that another connection has locked, and a connection that the database has closed;
- any other error of PostgreSQL that has an SQLSTATE, and any error that MLflow reports as
  `TEMPORARILY_UNAVAILABLE`.

Not retryable, because they last until someone acts: a full disk, a read-only file, a missing
permission, a wrong password, an unknown database, a damaged or unknown schema, data that the
database refuses, a request that the server refuses (other 4xx), a bad certificate.

No other error is retryable: it is better to stop early than to retry for ever.
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
_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
# Beginnings of SQLSTATE codes. 28: access refused; 42, 3D: no such object; 53100: disk full;
# 25006: read-only.
_REFUSED = ("28", "42", "3D", "53100", "25006")
# An error while psycopg2 connects has no SQLSTATE. These are PostgreSQL's messages for the classes
# 28 and 3D. A server whose messages are not in English is retried.
_REFUSED_CONNECTION = re.compile(
    r"authentication failed for user|no password supplied|no pg_hba\.conf entry for"
    r'|(?:database|role) ".*" does not exist|role ".*" is not permitted to log in'
)
# Beginnings of SQLSTATE codes: not supported, invalid data, violated constraint, too complex.
_INVALID_DATA = ("0A", "22", "23", "54")
_INVALID_REQUEST = ("BAD_REQUEST", "INVALID_PARAMETER_VALUE")  # MLflow's codes
_SELF_EXPLAINING = (ConnectionError, TimeoutError, sqlite3.Error)


def is_retryable(error: Exception, *, server: bool) -> bool:
    """Whether the same call may succeed later; `server` is True for an MLflow server."""
    for cause in _causes(error):
        if isinstance(cause, sqlite3.Error):
            return getattr(cause, "sqlite_errorname", "").startswith(_LOCKED)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return False
        if isinstance(cause, (ConnectionError, TimeoutError, socket.gaierror)):
            return True
        if isinstance(cause, OSError) and cause.errno is not None:
            return cause.errno in _NETWORK
        if state := _sqlstate(cause):
            return not state.startswith((*_REFUSED, *_INVALID_DATA))
        if is_refused_connection(cause):
            return False
        # SQLAlchemy's attribute for a connection that the database has closed.
        if getattr(cause, "connection_invalidated", False):
            return True
    # MLflow's exception has the server's HTTP status. It has 500 if the server sent no response, or
    # if MLflow has retried a 408, a 429 or another 5xx until it gave up.
    if server:
        return bool(getattr(error, "get_http_status_code", lambda: 0)() >= 500)
    # MLflow's code for a database's "operational error", such as a broken connection.
    return getattr(error, "error_code", "") == "TEMPORARILY_UNAVAILABLE"


def is_refused_connection(error: BaseException) -> bool:
    """Whether PostgreSQL refuses the user, the password or the database of the address."""
    driver_error = getattr(error, "orig", None)
    return bool(driver_error and _REFUSED_CONNECTION.search(str(driver_error)))


def is_invalid_data(error: Exception) -> bool:
    """Whether the store refuses these data, and may accept other data."""
    if getattr(error, "error_code", "") in _INVALID_REQUEST:
        return True
    return any((_sqlstate(cause) or "").startswith(_INVALID_DATA) for cause in _causes(error))


def reason(error: Exception) -> str:
    """The failure in one line, without the user and password of an address."""
    message: object = error
    for cause in _causes(error):
        # The innermost network or database error has the most specific message.
        if isinstance(cause, OSError) and cause.strerror:
            message = f"{cause.strerror}: {cause.filename}" if cause.filename else cause.strerror
        elif isinstance(cause, _SELF_EXPLAINING):
            message = cause
        elif driver_error := getattr(cause, "orig", None):
            message = driver_error
        elif type(cause).__module__ == "urllib3.exceptions":
            message = cause.args[-1]
    line = str(message).strip().partition("\n")[0]
    return re.sub(r"//[^@/\s]*@", "//", line)


def _sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of an SQLAlchemy error, whichever driver it comes from."""
    driver_error = getattr(error, "orig", None)
    return getattr(driver_error, "sqlstate", None) or getattr(driver_error, "pgcode", None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
