"""What every request passes before any route is looked at, and every answer after it.

Default-deny: a path that is not open by name here needs a token, also one that does not exist.
"""

import logging
import math
import time
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paretoib.settings import is_loopback
from service.auth import RateLimiter, owner
from service.metrics import Metrics
from service.problems import ProblemError, on_error
from service.settings import ServiceSettings, Token

COOKIE = "paretoib_token"
HEALTH = frozenset({"/healthz", "/readyz"})
SESSION = frozenset({"/login", "/logout"})
"""They take and forget a token themselves, whatever its scope."""
_NOBODY = Token(name="loopback", scopes=("read", "write"), sha256="0" * 64)

# Scripts are the service's own files. Plotly sets style attributes, and makes one style element,
# empty (hence the hash of nothing), whose rules it then inserts.
CSP = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "style-src 'self'; style-src-attr 'unsafe-inline'; "
    "style-src-elem 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; "
    "img-src 'self' data: blob:; base-uri 'none'; frame-ancestors 'none'"
)
# Of a page that brings its own scripts with it: it has an origin of its own, and no network.
SELF_CONTAINED = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "private, no-cache",
}

_log = logging.getLogger("paretoib.service")


class AccessMiddleware:
    """The outermost layer: host, origin, token, scope, rate, size; then headers and metrics."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._rate = RateLimiter(settings.requests_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        request, began, status = Request(scope), time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if request.url.scheme == "https":
                    headers.setdefault("Strict-Transport-Security", "max-age=31536000")
            await send(message)

        try:
            scope.setdefault("state", {})["client"] = self._admit(request)
            await self._app(scope, self._limited(request, receive), send_with_headers)
        except ClientDisconnect:
            pass
        except Exception as error:
            if not isinstance(error, ProblemError | HTTPException):
                _log.exception("%s %r", request.method, scope["path"])
            if status:
                raise
            answer = await on_error(request, error)
            await answer(scope, receive, send_with_headers)
        finally:
            self._metrics.request(scope, status, time.perf_counter() - began)

    def _admit(self, request: Request) -> str:
        """The name of who sent the request; `ProblemError` for one that is not let in."""
        # As the router has it: an address as a whole may lose a character when it is parsed.
        path = request.scope["path"]
        if path in HEALTH:
            return ""  # Probes ask by an address, not by a name.
        self._check_host(request)
        reading = request.method in ("GET", "HEAD", "OPTIONS")
        if not reading:
            self._check_origin(request)
        if path in SESSION and not reading:
            return ""
        token = self._token(request)
        if wait := self._rate.wait(token.name):
            raise ProblemError(
                429,
                "too-many-requests",
                f"a token has {self._settings.requests_per_minute} requests a minute",
                {"Retry-After": str(math.ceil(wait))},
            )
        needed = "read" if reading else "write"
        if needed not in token.scopes:
            found = "+".join(token.scopes)
            raise ProblemError(
                403, "scope", f"the token should have scope {needed}; `{token.name}` has {found}"
            )
        return token.name

    def _check_host(self, request: Request) -> None:
        """A page elsewhere may have its own name lead here; that name is not ours."""
        host = request.headers.get("host", "")
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        if name.lower() not in self._settings.allowed_hosts:
            raise ProblemError(400, "unknown-host", f"the service has no such name; found `{name}`")

    def _check_origin(self, request: Request) -> None:
        """What a page of another origin sends goes with the browser's cookie, or its loopback."""
        site = request.headers.get("sec-fetch-site", "same-origin")
        origin = request.headers.get("origin")
        same = origin is None or _place(origin) == request.headers.get("host")
        if site not in ("same-origin", "none") or not same:
            raise ProblemError(403, "cross-origin", "a page of another origin may not send this")

    def _token(self, request: Request) -> Token:
        if not self._settings.auth:
            self._check_loopback(request)
            return _NOBODY
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            shown = request.cookies.get(COOKIE, "")
        found = owner(shown.strip(), self._settings.tokens)
        if not found:
            raise ProblemError(
                401,
                "unauthorized",
                "a token is needed: `Authorization: Bearer …`",
                {"WWW-Authenticate": 'Bearer realm="paretoib"'},
            )
        return found

    def _check_loopback(self, request: Request) -> None:
        """However the server was started: without tokens it answers this machine alone."""
        ends = (request.scope.get("server"), request.scope.get("client"))
        if not all(end and is_loopback(end[0]) for end in ends):
            raise ProblemError(
                403, "loopback-only", "without tokens the service answers loopback alone"
            )

    def _limited(self, request: Request, receive: Receive) -> Receive:
        most = self._settings.max_body_bytes
        too_large = HTTPException(413, f"a body should have at most {most} bytes")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > most:
            raise too_large
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise too_large
            return message

        return limited


def _place(origin: str) -> str | None:
    """The host and port of an origin; None for what is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None
