"""Requests to a service: retries, timeouts, and the errors of its answers."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from paretoib.errors import NotFoundError, ServiceAwayError, ServiceError, ServiceFaultError
from paretoib.settings import is_loopback, settings

PROBLEM = "application/problem+json"
_RETRY_SECONDS = 5.0  # to wait without a Retry-After header
# The service may wait 30 s for earlier requests, and then 30 s for Ray.
_TIMEOUT = httpx.Timeout(90, connect=10)
# The service sends a keep-alive comment every 15 s.
_STREAM_TIMEOUT = httpx.Timeout(45, connect=10)


class _RetryError(ServiceAwayError):
    """The request may be retried after `pause` seconds.

    `cut`: the answer was cut off, so the request may have been carried out; only an idempotent
    request may be retried.
    """

    def __init__(self, message: str, pause: float, *, cut: bool = False) -> None:
        super().__init__(message)
        self.pause = pause
        self.cut = cut


class Http:
    """An HTTP client of the service at a URL, with the token of the settings.

    Raises `ServiceError`, or `ServiceAwayError` where the same request may succeed later, and
    `NotFoundError` for HTTP 404. For `patience` seconds (a setting) it retries a request that the
    service refuses for now (429, or 409 with Retry-After), after the time that the service names,
    and an idempotent request whose answer was cut off.
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
            # A proxy cannot reach this machine's loopback.
            trust_env=not is_loopback(host),
        )

    def request(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of the answer; `options` are httpx's."""
        idempotent = method == "GET" or "Idempotency-Key" in options.get("headers", {})
        deadline = time.monotonic() + self.patience
        while True:
            try:
                with self._as_service_error():
                    answer = self._client.request(method, path, **options)
                self._check(answer)
                break
            except _RetryError as retry:
                if time.monotonic() + retry.pause > deadline or (retry.cut and not idempotent):
                    raise
                time.sleep(retry.pause)
        try:
            return answer.json()
        except ValueError as error:
            raise self._not_our_service(answer) from error

    @contextmanager
    def lines(self, path: str, headers: dict[str, str]) -> Iterator[Iterator[str]]:
        """The lines of a streamed answer, as they arrive."""
        headers = {"Accept": "text/event-stream", **headers}
        with (
            self._as_service_error(),
            self._client.stream("GET", path, headers=headers, timeout=_STREAM_TIMEOUT) as answer,
        ):
            if answer.status_code != 200:
                answer.read()
            self._check(answer)
            yield answer.iter_lines()

    def _check(self, answer: httpx.Response) -> None:
        if answer.status_code == 401:
            rule = "does not accept the token in" if self._token else "needs a token: set"
            raise ServiceError(f"{self.url} {rule} PARETOIB_TOKEN")
        if answer.is_success:
            return
        if answer.headers.get("content-type", "").partition(";")[0] != PROBLEM:
            raise self._not_our_service(answer)
        try:
            detail = str(answer.json()["detail"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._not_our_service(answer) from error
        if answer.status_code == 404:
            raise NotFoundError(detail)
        after = answer.headers.get("retry-after", "")
        if answer.status_code == 429 or (answer.status_code == 409 and after):
            raise _RetryError(detail, float(after) if after.isdecimal() else _RETRY_SECONDS)
        if answer.status_code == 500:
            raise ServiceFaultError(detail)
        raise (ServiceAwayError if answer.status_code > 500 else ServiceError)(detail)

    def _not_our_service(self, answer: httpx.Response) -> ServiceError:
        """The error for an answer that no paretoib service sends, such as a proxy's error page."""
        kind = answer.headers.get("content-type", "no content type")
        away = answer.status_code in (429, 502, 503, 504)
        return (ServiceAwayError if away else ServiceError)(
            f"{self.url} should be a paretoib service; it answered HTTP "
            f"{answer.status_code}, {kind}"
        )

    @contextmanager
    def _as_service_error(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            reason = re.sub(r"^\[\w+ -?\d+\] ", "", str(error)) or type(error).__name__
            message = f"no answer from {self.url}: {reason}"
            if isinstance(error, httpx.ReadError | httpx.RemoteProtocolError):
                raise _RetryError(message, _RETRY_SECONDS, cut=True) from error
            raise ServiceAwayError(message) from error
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
        raise ServiceError("PARETOIB_TOKEN should have printable ASCII characters; found others")
    if token and parts.scheme == "http" and not is_loopback(host):
        raise ServiceError(
            f"a token should not go over a network in the clear: {masked} should be https://, or a "
            f"tunnel on this machine (ssh -L 8000:localhost:8000 {host}), http://localhost:8000"
        )
    return host
