"""Authentication and authorisation of a request: host, origin, token, scope."""

import hmac
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from starlette.requests import Request

from paretoib.settings import is_loopback
from paretoib.tokens import token_digest
from service.problems import ProblemError
from service.settings import Scope, ServiceSettings, Token

COOKIE = "paretoib_token"
HEALTH_PATHS = frozenset({"/healthz", "/readyz"})
"""Open to everyone: a load balancer sends no token."""
SESSION_PATHS = frozenset({"/login", "/logout"})
"""A POST to these paths needs no token: they set and delete the cookie that holds the token."""
_LOOPBACK_CLIENT = Token(name="loopback", scopes=("read", "write"), sha256="0" * 64)


def check_host(request: Request, allowed_hosts: Collection[str]) -> None:
    """Reject unknown Host headers (DNS rebinding)."""
    host = request.headers.get("host", "")
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name.lower() not in allowed_hosts:
        raise ProblemError(
            400, "unknown-host", f"Host should be in PARETOIB_SERVICE_ALLOWED_HOSTS; found `{name}`"
        )


def check_origin(request: Request) -> None:
    """Reject requests from pages of another origin (CSRF).

    A browser may add the cookie to such requests, and with `auth` off no token is needed.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    same = origin is None or _host_of(origin) == request.headers.get("host")
    if site not in ("same-origin", "none") or not same:
        raise ProblemError(
            403,
            "cross-origin",
            "the request should come from a page of this service; found another origin",
        )


def authenticate(request: Request, settings: ServiceSettings) -> Token:
    """The token that a request carries, in its Authorization header or its cookie.

    Raises `ProblemError` for a missing or unknown token. With `auth` off, every client on loopback
    has both scopes.
    """
    if not settings.auth:
        _check_loopback(request)
        return _LOOPBACK_CLIENT
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        secret = request.cookies.get(COOKIE, "")
    token = find_token(secret.strip(), settings.tokens)
    if not token:
        raise ProblemError(
            401,
            "unauthorized",
            "a token is required: `Authorization: Bearer TOKEN`",
            {"WWW-Authenticate": 'Bearer realm="paretoib"'},
        )
    return token


def find_token(secret: str, tokens: Sequence[Token]) -> Token | None:
    """The token with this secret, None if there is none; takes the same time in both cases."""
    digest, match = token_digest(secret), None
    for token in tokens:
        if hmac.compare_digest(digest, token.sha256):
            match = token
    return match


def check_scope(token: Token, scope: Scope) -> None:
    """Raise `ProblemError` (403) for a token without this scope."""
    if scope not in token.scopes:
        found = "+".join(token.scopes)
        raise ProblemError(
            403, "scope", f"the token should have scope {scope}; `{token.name}` has {found}"
        )


def _check_loopback(request: Request) -> None:
    # Another ASGI server may bind the application to any address, so both ends of the connection
    # are checked.
    ends = (request.scope.get("server"), request.scope.get("client"))
    if not all(end and is_loopback(end[0]) for end in ends):
        raise ProblemError(
            403, "loopback-only", "with auth off the service answers only on loopback"
        )


def _host_of(origin: str) -> str | None:
    """Host and port in an Origin header; None if the header is not a URL."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None
