"""The HTTP client with a scripted server that is unavailable, full, or cuts connections."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from paretoib import cli
from paretoib.backends import RemoteBackend, _http, _sse
from paretoib.backends._http import Http
from paretoib.backends._sse import Event, events, parse
from paretoib.errors import NotFoundError, ServiceError, ServiceUnavailableError
from paretoib.records import SweepInfo, SweepState
from paretoib.settings import settings
from paretoib.specs import SweepSpec

INFO = {
    "id": "0" * 32,
    "name": "vib-digits",
    "method": "vib",
    "dataset": "digits",
    "status": "running",
    "spec": {"trials": 2},
}
TRIALS = {"total": 2, "finished": 0, "stopped": 0, "failed": 0}
SWEEP = {**INFO, "trials": TRIALS, "hypervolume": None, "started": "2026-01-01T12:00:00Z"}
PROBLEM = "application/problem+json"


@dataclass
class Response:
    """A response to one request.

    With `cut`, the server closes the connection after an incomplete body; if the body is empty,
    it closes the connection without a response.
    """

    body: str = ""
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class ScriptedServer:
    """A server that sends the responses in `script` in order, and then repeats the last one."""

    address: str
    script: list[Response]
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ScriptedServer]]:
    """`server(*responses)` starts a scripted server; the client retries without long pauses."""
    monkeypatch.setattr(_sse, "RECONNECT_SECONDS", 0.05)
    monkeypatch.setattr(_http, "_RETRY_SECONDS", 0.05)
    monkeypatch.setenv("PARETOIB_SERVER_PATIENCE", "3")
    settings.cache_clear()
    running: list[ThreadingHTTPServer] = []

    def start(*responses: Response) -> ScriptedServer:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                scripted.requests.append((f"{self.command} {self.path}", dict(self.headers)))
                number = min(len(scripted.requests), len(scripted.script))
                response = scripted.script[number - 1]
                if response.cut and not response.body:
                    return
                self.send_response(response.status)
                self.send_header("Content-Type", response.kind)
                for name, value in response.headers.items():
                    self.send_header(name, value)
                # A cut response is shorter than its Content-Length.
                length = len(response.body.encode()) + 100 * response.cut
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(response.body.encode())

            do_POST = do_DELETE = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        running.append(http)
        scripted = ScriptedServer(f"http://127.0.0.1:{http.server_port}", list(responses))
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        return scripted

    yield start
    for http in running:
        http.shutdown()
        http.server_close()
    settings.cache_clear()


def sse(name: str, id_: int, data: Any) -> str:
    """The text of a server-sent event."""
    return f"event: {name}\nid: {id_}\ndata: {json.dumps(data)}\n\n"


def stream(text: str, **fields: Any) -> Response:
    """A response with a stream of events."""
    return Response(text, kind="text/event-stream", **fields)


def test_a_cut_stream_continues_after_the_last_event(server: Callable[..., ScriptedServer]) -> None:
    """After a cut, a dropped connection or a proxy's error page, the client sends Last-Event-ID."""
    scripted = server(
        stream(sse("progress", 3, {"n": 1}) + "event: poi", cut=True),
        Response(cut=True),
        Response("<html>", status=502, kind="text/html"),
        stream(": ping\n\n" + sse("progress", 5, {"n": 2})),
        stream(sse("end", 5, {"status": "finished"})),
    )
    assert list(events(Http(scripted.address), "/events")) == [
        Event("progress", "3", {"n": 1}),
        Event("progress", "5", {"n": 2}),
        Event("end", "5", {"status": "finished"}),
    ]
    last = [headers.get("Last-Event-ID") for _, headers in scripted.requests]
    assert last == [None, "3", "3", "3", "5"]


@pytest.mark.parametrize("unavailable", [Response(cut=True), stream("")])
def test_the_client_gives_up_on_a_service_that_stays_unavailable(
    server: Callable[..., ScriptedServer], monkeypatch: pytest.MonkeyPatch, unavailable: Response
) -> None:
    """After PARETOIB_SERVER_PATIENCE without an event, an error is raised.

    Connections are dropped, or streams are empty.
    """
    monkeypatch.setenv("PARETOIB_SERVER_PATIENCE", "0.5")
    settings.cache_clear()
    scripted = server(stream(sse("progress", 1, {})), unavailable)
    began = time.monotonic()
    with pytest.raises(ServiceUnavailableError, match=r"^gave up after 0\.5 s: .*127\.0\.0\.1"):
        list(events(Http(scripted.address), "/events"))
    assert 0.5 < time.monotonic() - began < 3
    assert len(scripted.requests) > 3


def test_a_stream_that_is_not_found_is_not_retried(server: Callable[..., ScriptedServer]) -> None:
    """HTTP 404 raises an error at once, because an unknown sweep will not appear later."""
    gone = json.dumps({"detail": "no sweep `x`"})
    scripted = server(stream(sse("progress", 1, {})), Response(gone, status=404, kind=PROBLEM))
    with pytest.raises(NotFoundError, match="no sweep `x`"):
        list(events(Http(scripted.address), "/events"))
    assert len(scripted.requests) == 2


def test_several_data_lines_are_one_event() -> None:
    """The data lines of an event are joined with newlines, and a comment in an event is ignored.

    A comment that stands alone gives None.
    """
    lines = ["data: {", ": ping", 'data:  "a": 1}', "event: x", "id: 7", "", ": ping", ""]
    assert list(parse(lines)) == [Event("x", "7", {"a": 1}), None]


def test_a_full_service_is_retried_after_retry_after_seconds(
    server: Callable[..., ScriptedServer],
) -> None:
    """`submit` waits as long as Retry-After says, and every retry has the same idempotency key."""
    full = Response(
        json.dumps({"detail": "full"}), status=429, kind=PROBLEM, headers={"Retry-After": "1"}
    )
    scripted = server(full, Response(cut=True), Response(json.dumps(SWEEP), status=202))
    began = time.monotonic()
    info = RemoteBackend(scripted.address).submit(SweepSpec.from_document({"method": "vib"}))
    assert time.monotonic() - began > 1
    assert info.id == "0" * 32
    assert [line for line, _ in scripted.requests] == ["POST /sweeps"] * 3
    assert len({headers["Idempotency-Key"] for _, headers in scripted.requests}) == 1


def test_a_service_that_stays_full_is_an_error(server: Callable[..., ScriptedServer]) -> None:
    """If the next wait would end after PARETOIB_SERVER_PATIENCE, an error is raised.

    Its text is the service's message.
    """
    full = Response(
        json.dumps({"detail": "8 sweeps run"}),
        status=429,
        kind=PROBLEM,
        headers={"Retry-After": "2"},
    )
    scripted = server(full)
    with pytest.raises(ServiceError, match=r"^8 sweeps run$"):
        RemoteBackend(scripted.address).list()
    assert len(scripted.requests) == 2


def test_a_request_without_an_idempotency_key_is_not_retried(
    server: Callable[..., ScriptedServer],
) -> None:
    """`cancel` is not repeated: the service may have cancelled the sweep before the cut."""
    scripted = server(Response(cut=True))
    with pytest.raises(ServiceUnavailableError, match="no answer from"):
        RemoteBackend(scripted.address).cancel(SweepInfo.from_document(INFO))
    assert len(scripted.requests) == 1


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (Response("<p>", kind="text/html"), "HTTP 200, text/html"),
        (Response("<p>", status=404, kind="text/html"), "HTTP 404, text/html"),
        (Response("<p>", status=409, kind=PROBLEM), f"HTTP 409, {PROBLEM}"),
        (Response("{}", status=409, kind=PROBLEM), f"HTTP 409, {PROBLEM}"),
        (Response(status=307, headers={"Location": "http://example.org/"}), "HTTP 307"),
        (Response(json.dumps({"sweeps": [{**SWEEP, "status": "odd"}], "total": 1})), "version"),
    ],
)
def test_a_server_that_is_not_a_paretoib_service_is_an_error(
    server: Callable[..., ScriptedServer], response: Response, message: str
) -> None:
    """A web page, a redirect or an unknown sweep status causes an error with the server's address.

    A redirect is not followed, because its target would get the token.
    """
    scripted = server(response)
    with pytest.raises(ServiceError, match=re.escape(message)) as error:
        RemoteBackend(scripted.address).list()
    assert scripted.address in str(error.value)
    assert len(scripted.requests) == 1


def test_an_internal_error_of_the_service_has_its_own_exit_code(
    server: Callable[..., ScriptedServer], capfd: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 1 for an internal error of the service, and 2 for a wrong request."""
    fault = Response('{"detail": "its log says more"}', status=500, kind=PROBLEM)
    refusal = Response('{"detail": "no such thing"}', status=422, kind=PROBLEM)
    for response, code in ((fault, 1), (refusal, 2)):
        with pytest.raises(SystemExit) as end:
            cli.main(["list", "--server", server(response).address])
        assert end.value.code == code
        detail = json.loads(response.body)["detail"]
        assert capfd.readouterr().err == f"error: {detail}\n"


def test_a_resumed_sweep_is_watched_to_its_end(server: Callable[..., ScriptedServer]) -> None:
    """If no trial has ended, `resume` returns None, and the last state has the reason."""
    progress = {"status": "interrupted", "trials": TRIALS, "hypervolume": None}
    scripted = server(
        Response(json.dumps({**SWEEP, "status": "interrupted"})),
        Response(json.dumps(SWEEP), status=202),
        stream(sse("progress", 0, progress) + sse("end", 0, {"status": "interrupted"})),
        Response(json.dumps({**SWEEP, "status": "interrupted", "reason": "no such data"})),
        Response(json.dumps({"detail": "no ended trial"}), status=404, kind=PROBLEM),
    )
    states: list[SweepState] = []
    info = SweepInfo.from_document(INFO)
    assert RemoteBackend(scripted.address).resume(info, on_progress=states.append) is None
    assert [state.status for state in states] == ["running", "interrupted", "interrupted"]
    assert [state.reason for state in states] == [None, None, "no such data"]
    path = f"/sweeps/{INFO['id']}"
    requests = ["POST {}/resume", "GET {}/events", "GET {}", "GET {}/front"]
    expected = [line.format(path) for line in ("GET {}", *requests)]
    assert [line for line, _ in scripted.requests] == expected
