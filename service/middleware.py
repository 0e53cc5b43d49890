"""The outermost ASGI layer: access checks before routing, headers and metrics afterwards."""

import logging
import math
import time

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.auth import (
    HEALTH_PATHS,
    SESSION_PATHS,
    authenticate,
    check_host,
    check_origin,
    check_scope,
)
from service.exception_handlers import error_response
from service.headers import add_security_headers
from service.metrics import Metrics
from service.problems import ProblemError
from service.rate_limit import RateLimiter
from service.settings import ServiceSettings

_log = logging.getLogger("paretoib.service")


class AccessMiddleware:
    """Checks host, origin, token, rate, scope and body size; adds headers and counts requests.

    Access is denied by default: only health checks, sign-in and sign-out need no token. Even a path
    without a route needs a token.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._rate_limiter = RateLimiter(settings.requests_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        request, started, status = Request(scope), time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                add_security_headers(headers, https=request.url.scheme == "https")
            await send(message)

        try:
            scope.setdefault("state", {})["client"] = self._admit(request)
            await self._app(scope, self._limit_body(request, receive), send_with_headers)
        except ClientDisconnect:
            pass
        except Exception as error:
            if not isinstance(error, ProblemError | HTTPException):
                _log.exception("%s %r", request.method, scope["path"])
            if status:
                raise
            response = await error_response(request, error)
            await response(scope, receive, send_with_headers)
        finally:
            self._metrics.count_request(scope, status, time.perf_counter() - started)

    def _admit(self, request: Request) -> str:
        """The name of the client, or "" if the request needs no token.

        Raises `ProblemError` if access is denied.
        """
        # Check the path that the router uses; `request.url` drops control characters.
        path = request.scope["path"]
        if path in HEALTH_PATHS:
            return ""  # No host check: a probe uses an IP address, not a name.
        check_host(request, self._settings.allowed_hosts)
        reads = request.method in ("GET", "HEAD", "OPTIONS")
        if not reads:
            check_origin(request)
            if path in SESSION_PATHS:
                return ""
        token = authenticate(request, self._settings)
        self._check_rate(token.name)
        check_scope(token, "read" if reads else "write")
        return token.name

    def _check_rate(self, client: str) -> None:
        limit = self._settings.requests_per_minute
        if seconds := self._rate_limiter.wait(client):
            raise ProblemError(
                429,
                "too-many-requests",
                f"a token should send at most {limit} requests a minute",
                {"Retry-After": str(math.ceil(seconds))},
            )

    def _limit_body(self, request: Request, receive: Receive) -> Receive:
        """`receive` with a limit on the body; a longer body raises 413."""
        limit = self._settings.max_body_bytes
        too_large = HTTPException(413, f"the body should have at most {limit} bytes")
        content_length = request.headers.get("content-length", "")
        if content_length.isdecimal() and int(content_length) > limit:
            raise too_large
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise too_large
            return message

        return receive_limited
