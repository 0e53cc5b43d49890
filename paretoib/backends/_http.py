"""HTTP requests to a service: retries, timeouts and errors."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from paretoib.errors import NotFoundError, ServiceError, ServiceFaultError, ServiceUnavailableError
from paretoib.settings import is_loopback, settings

PROBLEM = "application/problem+json"
_RETRY_SECONDS = 5.0  # pause before a retry, unless the response has a Retry-After header
# A request may wait 30 s behind earlier requests in the service, and then 30 s for Ray.
_TIMEOUT = httpx.Timeout(90, connect=10)
# The service sends a keep-alive comment every 15 s.
_STREAM_TIMEOUT = httpx.Timeout(45, connect=10)


class _RetryError(ServiceUnavailableError):
    """The request may be retried after `pause` seconds.

    `disconnected`: the connection was lost before the whole response arrived. The service may have
    carried out the request, so only an idempotent request is retried.
    """

    def __init__(self, message: str, pause: float, *, disconnected: bool = False) -> None:
        super().__init__(message)
        self.pause = pause
        self.disconnected = disconnected


class Http:
    """An HTTP client of the service at a URL; the token comes from the settings.

    Raises `NotFoundError` for HTTP 404, `ServiceUnavailableError` if the same request may succeed
    later, and `ServiceError` otherwise.

    `request` retries for `patience` seconds (`PARETOIB_SERVER_PATIENCE`) after HTTP 429, after HTTP
    409 with Retry-After, and, if the request is idempotent, after a lost connection.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.patience = settings().server_patience
        self._token = settings().token.get_secret_value().strip()
        host = _checked_host(self.url, self._token)
        headers = {"Accept": f"application/json, {PROBLEM}"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        self._client = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=_TIMEOUT,
            # Ignore the environment's proxies for loopback: a proxy cannot reach it.
            trust_env=not is_loopback(host),
        )

    def request(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of the response; `options` are keyword arguments of `httpx.Client.request`."""
        response = self.response(method, path, **options)
        try:
            return response.json()
        except ValueError as error:
            raise self._not_our_service(response) from error

    def response(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The successful response, after retries; `options` are as for `request`."""
        idempotent = method == "GET" or "Idempotency-Key" in options.get("headers", {})
        deadline = time.monotonic() + self.patience
        while True:
            try:
                with self._as_service_error():
                    response = self._client.request(method, path, **options)
                self._check(response)
                return response
            except _RetryError as retry:
                if time.monotonic() + retry.pause > deadline or (
                    retry.disconnected and not idempotent
                ):
                    raise
                time.sleep(retry.pause)

    @contextmanager
    def lines(self, path: str, headers: dict[str, str]) -> Iterator[Iterator[str]]:
        """The lines of a streamed response, as they arrive; a lost connection is not retried."""
        headers = {"Accept": "text/event-stream", **headers}
        with (
            self._as_service_error(),
            self._client.stream("GET", path, headers=headers, timeout=_STREAM_TIMEOUT) as response,
        ):
            if response.status_code != 200:
                response.read()
            self._check(response)
            yield response.iter_lines()

    def _check(self, response: httpx.Response) -> None:
        if response.status_code == 401:
            rule = "does not accept the token in" if self._token else "needs a token: set"
            raise ServiceError(f"{self.url} {rule} PARETOIB_TOKEN")
        if response.is_success:
            return
        if response.headers.get("content-type", "").partition(";")[0] != PROBLEM:
            raise self._not_our_service(response)
        try:
            detail = str(response.json()["detail"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._not_our_service(response) from error
        if response.status_code == 404:
            raise NotFoundError(detail)
        after = response.headers.get("retry-after", "")
        if response.status_code == 429 or (response.status_code == 409 and after):
            raise _RetryError(detail, float(after) if after.isdecimal() else _RETRY_SECONDS)
        if response.status_code == 500:
            raise ServiceFaultError(detail)
        raise (ServiceUnavailableError if response.status_code > 500 else ServiceError)(detail)

    def _not_our_service(self, response: httpx.Response) -> ServiceError:
        """The error for a response that no paretoib service sends, such as a proxy's error page."""
        kind = response.headers.get("content-type", "no content type")
        unavailable = response.status_code in (429, 502, 503, 504)
        return (ServiceUnavailableError if unavailable else ServiceError)(
            f"{self.url} should be a paretoib service; it answered HTTP "
            f"{response.status_code}, {kind}"
        )

    @contextmanager
    def _as_service_error(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            reason = re.sub(r"^\[\w+ -?\d+\] ", "", str(error)) or type(error).__name__
            message = f"no answer from {self.url}: {reason}"
            if isinstance(error, httpx.ReadError | httpx.RemoteProtocolError):
                raise _RetryError(message, _RETRY_SECONDS, disconnected=True) from error
            raise ServiceUnavailableError(message) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceError(f"{self.url}: {error}") from error


def _checked_host(url: str, token: str) -> str:
    """The host in a service's URL; `ServiceError` for a URL or token that cannot be used."""
    masked = re.sub(r"//[^@/]*@", "//", url)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not host or not plain:
        raise ServiceError(
            f"--server (PARETOIB_SERVER) should be http(s)://HOST[:PORT]; found `{masked}`"
        )
    if not (token.isascii() and token.isprintable()):
        raise ServiceError(
            "PARETOIB_TOKEN should have only printable ASCII characters; found others"
        )
    if token and parts.scheme == "http" and not is_loopback(host):
        raise ServiceError(
            f"a token should be sent over https; found `{masked}`. Without https, open a tunnel "
            f"(ssh -L 8000:localhost:8000 {host}) and use http://localhost:8000"
        )
    return host
