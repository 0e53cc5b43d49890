"""Access to every route, security headers, sign-in, rate limit and body limit."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from service import ServiceSettings, create_app

WITHOUT_TOKEN = {(method, path) for method in ("GET", "HEAD") for path in ("/healthz", "/readyz")}
SIGN_IN = {("POST", "/login"), ("POST", "/logout")}
"""Sign-in takes the token in its body; sign-out deletes the cookie."""


def every_route() -> set[tuple[str, str]]:
    """(method, path) of all routes of the application."""

    def walk(routes: list[Any]) -> Iterator[tuple[str, str]]:
        for route in routes:
            if hasattr(route, "original_router"):
                yield from walk(route.original_router.routes)
            else:
                yield from ((method, route.path) for method in route.methods)

    return set(walk(list(create_app(ServiceSettings(auth=False)).routes)))


def send(client: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
    """Send a request to a route, with values for the parameters in its path."""
    path = path.replace("{sweep}", "a" * 32).replace("{trial}", "b" * 12).replace("{name}", "x")
    return client.request(method, path, **options)


def test_only_health_checks_and_sign_in_work_without_a_token(sample: Any) -> None:
    """Without a valid token, all paths except health checks and sign-in get 401."""
    without_route = {("GET", "/nothing"), ("PUT", "/sweeps"), ("GET", "/../etc/passwd")}
    nearly_open = {("GET", "/health%09z"), ("POST", "/log%0ain")}
    routes = every_route() | without_route | nearly_open
    assert routes > WITHOUT_TOKEN | SIGN_IN
    assert {path for _, path in routes} > {"/", "/sweeps", "/metrics", "/openapi.json"}
    wrong = [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {sample.served.secret}"},
        {"Authorization": sample.served.secret},
        {"Authorization": "Bearer, wrong"},
        {"Cookie": "paretoib_token=wrong"},
        {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost"},
    ]
    with sample.served.client(None) as client:
        for method, path in sorted(routes - WITHOUT_TOKEN - SIGN_IN):
            for headers in wrong:
                answer = send(client, method, path, headers=headers)
                assert answer.status_code == 401, (method, path, headers)
                assert answer.headers["www-authenticate"].startswith("Bearer")
                if method != "HEAD":
                    assert answer.json()["type"] == "urn:paretoib:problem:unauthorized"
        for method, path in WITHOUT_TOKEN:
            assert send(client, method, path).status_code in (200, 503)
        login = client.post("/login", content="token=wrong")
        assert login.status_code == 401
        assert "set-cookie" not in login.headers


def test_a_valid_token_gives_access_to_every_route(sample: Any) -> None:
    """With a valid token, no route answers 401, 403 or 500."""
    with sample.served.client("writer") as client:
        for method, path in sorted(every_route() - SIGN_IN):
            assert send(client, method, path).status_code not in (401, 403, 500), (method, path)


def test_a_token_with_scope_read_cannot_write(sample: Any) -> None:
    """A write with a token of scope read gets 403 and stores nothing; the message has the scope."""
    writing = {(m, p) for m, p in every_route() - SIGN_IN if m not in ("GET", "HEAD")}
    assert len(writing) == 10
    with sample.served.client("reader") as client:
        before = client.get("/sweeps").json()["total"]
        for method, path in writing:
            answer = send(client, method, path, json={"method": "vib"})
            assert answer.status_code == 403
            assert "should have scope write; `reader` has read" in answer.json()["detail"]
        assert client.get("/sweeps").json()["total"] == before


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/sweeps", "/nothing", "/static/service.js", "/sweeps/x/front"]
)
@pytest.mark.parametrize("who", ["writer", None])
def test_every_response_has_security_headers(sample: Any, path: str, who: str | None) -> None:
    """Every response, also to an error, has the security headers.

    The Content-Security-Policy allows no inline script and no other origin.
    """
    with sample.served.client(who) as client:
        headers = client.get(path, headers={"Origin": "http://evil.example"}).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_an_html_figure_is_sandboxed(sample: Any) -> None:
    """An HTML figure has inline scripts, so it gets an opaque origin and no network access."""
    with sample.served.client() as client:
        for path in (
            "/sweeps/a grid of β/front?format=html",
            "/compare?left=a grid of β&right=adaptive weights&format=html",
        ):
            answer = client.get(path)
            assert answer.status_code == 200
            assert "<script" in answer.text
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("sandbox allow-scripts")
            assert "allow-same-origin" not in policy
            assert "connect-src" not in policy


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_an_unknown_host_header_is_rejected(sample: Any, host: str) -> None:
    """A request with an unknown Host header gets 400, against DNS rebinding."""
    with sample.served.client() as client:
        answer = client.get("/sweeps", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:paretoib:problem:unknown-host"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
    ],
)
def test_a_page_of_another_origin_cannot_write(sample: Any, headers: dict[str, str]) -> None:
    """A write from another origin gets 403, even with the cookie.

    The service's own pages may write.
    """
    sweep = sample.sweeps["a grid of β"].id
    with sample.served.client(None) as client:
        client.cookies.set("paretoib_token", sample.served.secret)
        for method, path in (("POST", "/sweeps"), ("DELETE", f"/sweeps/{sweep}")):
            answer = client.request(method, path, headers=headers)
            assert answer.status_code == 403
            assert answer.json()["type"] == "urn:paretoib:problem:cross-origin"
        own = {"Sec-Fetch-Site": "same-origin", "Origin": sample.served.address}
        assert client.delete(f"/sweeps/{sweep}", headers=own).status_code == 409


def test_the_cookie_is_hidden_from_scripts_and_other_sites(sample: Any) -> None:
    """The cookie is HttpOnly and SameSite=strict, and gives access until sign-out deletes it."""
    with sample.served.client(None) as client:
        answer = client.post(
            "/login", content=httpx.QueryParams(token=sample.served.secret).__str__()
        )
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert client.get("/sweeps").status_code == 200
        assert "Max-Age=0" in client.post("/logout").headers["set-cookie"]
        client.cookies.clear()
        assert client.get("/sweeps").status_code == 401


def test_each_token_has_a_limit_of_requests_per_minute(
    fresh_store: Path, serve: Callable[..., Any]
) -> None:
    """Above the limit of a token, requests get 429 with Retry-After.

    Other tokens and health checks are not affected.
    """
    with serve(fresh_store, requests_per_minute="5") as served, served.client() as client:
        codes = [client.get("/methods").status_code for _ in range(7)]
        assert codes == [200] * 5 + [429] * 2
        refused = client.get("/methods")
        assert 1 <= int(refused.headers["retry-after"]) <= 12
        assert refused.json()["type"] == "urn:paretoib:problem:too-many-requests"
        assert client.get("/healthz").status_code == 200
        with served.client("reader") as other:
            assert other.get("/methods").status_code == 200
            # Requests that get 403 count too.
            codes = [other.post("/sweeps", json={}).status_code for _ in range(6)]
            assert codes == [403] * 4 + [429] * 2


def test_with_auth_off_requests_on_loopback_are_allowed(
    fresh_store: Path, serve: Callable[..., Any]
) -> None:
    """With auth off, requests on loopback need no token, but other sites cannot write."""
    with serve(fresh_store, auth="off", tokens="") as served, served.client(None) as client:
        assert client.get("/sweeps").status_code == 200
        assert client.delete("/sweeps/" + "a" * 32).status_code == 404
        refused = client.post("/sweeps", headers={"Sec-Fetch-Site": "cross-site"})
        assert refused.status_code == 403


def test_with_auth_off_other_machines_are_rejected() -> None:
    """With auth off, a request gets 403 if the address of its client or server is not loopback."""
    app = create_app(ServiceSettings(auth=False))

    async def ask(server: str, client: str) -> int:
        transport = httpx.ASGITransport(app, client=(client, 5000))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{server}") as http:
            return (await http.get("/methods", headers={"Host": "localhost"})).status_code

    import anyio

    assert anyio.run(ask, "127.0.0.1", "127.0.0.1") == 200
    assert anyio.run(ask, "127.0.0.1", "10.0.0.9") == 403
    assert anyio.run(ask, "10.0.0.1", "127.0.0.1") == 403


def test_the_token_is_not_logged(sample: Any) -> None:
    """After requests with a token, the service's log does not have this token."""
    with sample.served.client() as client:
        client.get("/sweeps")
        client.get("/nothing")
    assert sample.served.secret not in "".join(sample.served.log)


def test_a_websocket_is_rejected(sample: Any) -> None:
    """A request to upgrade to a WebSocket is rejected even with a valid path and token."""
    url = urlsplit(sample.served.address)
    with socket.create_connection((url.hostname, url.port), timeout=10) as raw:
        raw.sendall(
            f"GET /sweeps HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {sample.served.secret}\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        answer = raw.recv(200).decode()
    assert "101" not in answer.partition("\r\n")[0]


def test_a_too_large_content_length_is_rejected_at_once(sample: Any) -> None:
    """A client with a too large Content-Length gets 413 before it has sent the body."""
    url = urlsplit(sample.served.address)
    with socket.create_connection((url.hostname, url.port), timeout=10) as raw:
        raw.sendall(
            f"POST /sweeps HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 1000000000\r\n"
            "Content-Type: application/json\r\n"
            f"Authorization: Bearer {sample.served.secret}\r\n\r\n".encode()
        )
        assert raw.recv(200).startswith(b"HTTP/1.1 413")


def test_the_size_of_a_body_is_limited(sample: Any) -> None:
    """A body above the limit gets 413, because of its Content-Length or while it is read."""

    def chunks() -> Iterator[bytes]:
        for _ in range(1000):
            yield b" " * 1024

    with sample.served.client() as client:
        declared = client.post("/sweeps", content=b"{" + b" " * 300_000)
        streamed = client.post(
            "/sweeps", content=chunks(), headers={"Content-Type": "application/json"}
        )
    for answer in (declared, streamed):
        assert answer.status_code == 413
        assert "at most 262144 bytes" in answer.json()["detail"]
        assert json.loads(answer.text)["status"] == 413
