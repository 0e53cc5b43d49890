"""Requests to a service, and what its refusals mean."""

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
_AGAIN = 5.0  # seconds to wait where nobody says how many
# The service itself waits for its turn with Ray, and then for Ray, half a minute each.
_TIMEOUT = httpx.Timeout(90, connect=10)
# It says something every quarter of a minute, at least that it is there.
_STREAM_TIMEOUT = httpx.Timeout(45, connect=10)


class _LaterError(ServiceAwayError):
    """The request may be sent again after a pause (s); `cut`: if it does no harm twice."""

    def __init__(self, said: str, pause: float, *, cut: bool = False) -> None:
        super().__init__(said)
        self.pause = pause
        self.cut = cut


class Http:
    """A service at an address, asked with the token of the settings.

    Raises `ServiceError` in one plain line, and of it `ServiceAwayError` where the same request
    may succeed later; `NotFoundError` where the service has not got what was asked for. For as
    long as the settings' patience lasts, a service that has no room (429) is asked again when it
    says, and one that was cut off while it answered is asked again where that does no harm.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self.patience = settings().server_patience
        self._token = settings().token.get_secret_value().strip()
        host = _checked_host(self.address, self._token)
        headers = {"Accept": f"application/json, {PROBLEM}"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        self._client = httpx.Client(
            base_url=self.address,
            headers=headers,
            timeout=_TIMEOUT,
            # No proxy leads back to this machine.
            trust_env=not is_loopback(host),
        )

    def ask(self, method: str, path: str, **request: Any) -> Any:
        """The JSON of an answer; the keywords are httpx's."""
        harmless = method == "GET" or "Idempotency-Key" in request.get("headers", {})
        deadline = time.monotonic() + self.patience
        while True:
            try:
                with self._as_service_error():
                    answer = self._client.request(method, path, **request)
                self._check(answer)
                break
            except _LaterError as later:
                if time.monotonic() + later.pause > deadline or (later.cut and not harmless):
                    raise
                time.sleep(later.pause)
        try:
            return answer.json()
        except ValueError as error:
            raise self._foreign(answer) from error

    @contextmanager
    def lines(self, path: str, headers: dict[str, str]) -> Iterator[Iterator[str]]:
        """The lines of an answer as they come."""
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
            known = "does not know the token of" if self._token else "asks for a token: set"
            raise ServiceError(f"{self.address} {known} PARETOIB_TOKEN")
        if answer.is_success:
            return
        if answer.headers.get("content-type", "").partition(";")[0] != PROBLEM:
            raise self._foreign(answer)
        try:
            said = str(answer.json()["detail"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._foreign(answer) from error
        if answer.status_code == 404:
            raise NotFoundError(said)
        if answer.status_code == 429:
            after = answer.headers.get("retry-after", "")
            raise _LaterError(said, float(after) if after.isdecimal() else _AGAIN)
        if answer.status_code == 500:
            raise ServiceFaultError(said)
        raise (ServiceAwayError if answer.status_code > 500 else ServiceError)(said)

    def _foreign(self, answer: httpx.Response) -> ServiceError:
        """The error for an answer that is none of our service's; of a proxy's, it may come back."""
        kind = answer.headers.get("content-type", "no content type")
        away = answer.status_code in (429, 502, 503, 504)
        return (ServiceAwayError if away else ServiceError)(
            f"{self.address} should be a paretoib service; it answered HTTP "
            f"{answer.status_code}, {kind}"
        )

    @contextmanager
    def _as_service_error(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            reason = re.sub(r"^\[\w+ -?\d+\] ", "", str(error)) or type(error).__name__
            said = f"no answer from {self.address}: {reason}"
            if isinstance(error, httpx.ReadError | httpx.RemoteProtocolError):
                raise _LaterError(said, _AGAIN, cut=True) from error
            raise ServiceAwayError(said) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceError(f"{self.address}: {error}") from error


def _checked_host(address: str, token: str) -> str:
    """The host of a service's address; `ServiceError` for one that is not to be used."""
    shown = re.sub(r"//[^@/]*@", "//", address)
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not host or not plain:
        raise ServiceError(
            f"--server (PARETOIB_SERVER) should be http(s)://HOST[:PORT]; found `{shown}`"
        )
    if not (token.isascii() and token.isprintable()):
        raise ServiceError("PARETOIB_TOKEN should have printable ASCII characters; found others")
    if token and parts.scheme == "http" and not is_loopback(host):
        raise ServiceError(
            f"a token should not go over a network in the clear: {shown} should be https://, or a "
            f"tunnel on this machine (ssh -L 8000:localhost:8000 {host}), http://localhost:8000"
        )
    return host
