"""A service that is away, full or cut off: what the client makes of it. The server is scripted."""

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
from paretoib.errors import NotFoundError, ServiceAwayError, ServiceError
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
class Answer:
    """What the server says to one request; `cut`: it hangs up after it, or instead of it."""

    body: str = ""
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class Scripted:
    """A server with an answer for each request, in order, the last one again and again."""

    address: str
    script: list[Answer]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Scripted]]:
    """`server(*answers)`; nobody waits for long between two requests."""
    monkeypatch.setattr(_sse, "RECONNECT_SECONDS", 0.05)
    monkeypatch.setattr(_http, "_RETRY_SECONDS", 0.05)
    monkeypatch.setenv("PARETOIB_SERVER_PATIENCE", "3")
    settings.cache_clear()
    running: list[ThreadingHTTPServer] = []

    def start(*answers: Answer) -> Scripted:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                scripted.asked.append((f"{self.command} {self.path}", dict(self.headers)))
                place = min(len(scripted.asked), len(scripted.script))
                answer = scripted.script[place - 1]
                if answer.cut and not answer.body:
                    return
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.kind)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                # One that is cut has promised more.
                length = len(answer.body.encode()) + 100 * answer.cut
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(answer.body.encode())

            do_POST = do_DELETE = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        running.append(http)
        scripted = Scripted(f"http://127.0.0.1:{http.server_port}", list(answers))
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        return scripted

    yield start
    for http in running:
        http.shutdown()
        http.server_close()
    settings.cache_clear()


def told(name: str, id_: int, data: Any) -> str:
    return f"event: {name}\nid: {id_}\ndata: {json.dumps(data)}\n\n"


def stream(text: str, **answer: Any) -> Answer:
    return Answer(text, kind="text/event-stream", **answer)


def test_a_stream_that_is_cut_goes_on_where_it_was(server: Callable[..., Scripted]) -> None:
    """By Last-Event-ID; through a proxy's error page and a connection that is dropped."""
    scripted = server(
        stream(told("progress", 3, {"n": 1}) + "event: poi", cut=True),
        Answer(cut=True),
        Answer("<html>", status=502, kind="text/html"),
        stream(": ping\n\n" + told("progress", 5, {"n": 2})),
        stream(told("end", 5, {"status": "finished"})),
    )
    found = list(events(Http(scripted.address), "/events"))
    assert found == [
        Event("progress", "3", {"n": 1}),
        Event("progress", "5", {"n": 2}),
        Event("end", "5", {"status": "finished"}),
    ]
    last = [headers.get("Last-Event-ID") for _, headers in scripted.asked]
    assert last == [None, "3", "3", "3", "5"]


@pytest.mark.parametrize("gone", [Answer(cut=True), stream("")])
def test_who_is_away_for_too_long_is_given_up(
    server: Callable[..., Scripted], monkeypatch: pytest.MonkeyPatch, gone: Answer
) -> None:
    """After as many seconds as the settings say, whether it drops or ends the stream."""
    monkeypatch.setenv("PARETOIB_SERVER_PATIENCE", "0.5")
    settings.cache_clear()
    scripted = server(stream(told("progress", 1, {})), gone)
    began = time.monotonic()
    with pytest.raises(ServiceAwayError, match=r"^gave up after 0\.5 s: .*127\.0\.0\.1"):
        list(events(Http(scripted.address), "/events"))
    assert 0.5 < time.monotonic() - began < 3
    assert len(scripted.asked) > 3


def test_a_refusal_ends_the_watching_at_once(server: Callable[..., Scripted]) -> None:
    """A sweep that is not there does not come by waiting."""
    gone = json.dumps({"detail": "no sweep `x`"})
    scripted = server(stream(told("progress", 1, {})), Answer(gone, status=404, kind=PROBLEM))
    with pytest.raises(NotFoundError, match="no sweep `x`"):
        list(events(Http(scripted.address), "/events"))
    assert len(scripted.asked) == 2


def test_data_over_several_lines_are_one_event() -> None:
    """As the standard has it: joined by newlines, one leading space less, comments left out."""
    lines = ["data: {", ": ping", 'data:  "a": 1}', "event: x", "id: 7", "", ": ping", ""]
    assert list(parse(lines)) == [Event("x", "7", {"a": 1}), None]


def test_a_full_service_is_asked_again_when_it_says(server: Callable[..., Scripted]) -> None:
    """A submission waits for as long as Retry-After, and is made once: its key is the same."""
    full = Answer(
        json.dumps({"detail": "full"}), status=429, kind=PROBLEM, headers={"Retry-After": "1"}
    )
    scripted = server(full, Answer(cut=True), Answer(json.dumps(SWEEP), status=202))
    began = time.monotonic()
    info = RemoteBackend(scripted.address).submit(SweepSpec.from_document({"method": "vib"}))
    assert time.monotonic() - began > 1
    assert info.id == "0" * 32
    assert [line for line, _ in scripted.asked] == ["POST /sweeps"] * 3
    assert len({headers["Idempotency-Key"] for _, headers in scripted.asked}) == 1


def test_a_service_that_stays_full_says_so(server: Callable[..., Scripted]) -> None:
    """When waiting would take longer than the settings' patience, with the service's own words."""
    full = Answer(
        json.dumps({"detail": "8 sweeps run"}),
        status=429,
        kind=PROBLEM,
        headers={"Retry-After": "2"},
    )
    scripted = server(full)
    with pytest.raises(ServiceError, match=r"^8 sweeps run$"):
        RemoteBackend(scripted.address).list()
    assert len(scripted.asked) == 2


def test_what_may_have_been_done_is_not_asked_again(server: Callable[..., Scripted]) -> None:
    """A request that changes something, and has no key, is sent once."""
    scripted = server(Answer(cut=True))
    with pytest.raises(ServiceAwayError, match="no answer from"):
        RemoteBackend(scripted.address).cancel(SweepInfo.from_document(INFO))
    assert len(scripted.asked) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer("<p>", kind="text/html"), "HTTP 200, text/html"),
        (Answer("<p>", status=404, kind="text/html"), "HTTP 404, text/html"),
        (Answer("<p>", status=409, kind=PROBLEM), f"HTTP 409, {PROBLEM}"),
        (Answer("{}", status=409, kind=PROBLEM), f"HTTP 409, {PROBLEM}"),
        (Answer(status=307, headers={"Location": "http://example.org/"}), "HTTP 307"),
        (Answer(json.dumps({"sweeps": [{**SWEEP, "status": "odd"}], "total": 1})), "version"),
    ],
)
def test_another_kind_of_server_is_told_from_ours(
    server: Callable[..., Scripted], answer: Answer, said: str
) -> None:
    """A web page, a redirect (which a token does not follow), another version."""
    scripted = server(answer)
    with pytest.raises(ServiceError, match=re.escape(said)) as refused:
        RemoteBackend(scripted.address).list()
    assert scripted.address in str(refused.value)
    assert len(scripted.asked) == 1


def test_a_fault_of_the_services_own_is_none_of_the_callers(
    server: Callable[..., Scripted], capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, and 2 for what the caller has got wrong."""
    fault = Answer('{"detail": "its log says more"}', status=500, kind=PROBLEM)
    refusal = Answer('{"detail": "no such thing"}', status=422, kind=PROBLEM)
    for answer, code in ((fault, 1), (refusal, 2)):
        with pytest.raises(SystemExit) as end:
            cli.main(["list", "--server", server(answer).address])
        assert end.value.code == code
        said = json.loads(answer.body)["detail"]
        assert capfd.readouterr().err == f"error: {said}\n"


def test_a_resumed_sweep_is_followed_to_its_end(server: Callable[..., Scripted]) -> None:
    """From the service's answer on; without a front, where none had ended, but with why."""
    standing = {"status": "interrupted", "trials": TRIALS, "hypervolume": None}
    scripted = server(
        Answer(json.dumps(SWEEP), status=202),
        stream(told("progress", 0, standing) + told("end", 0, {"status": "interrupted"})),
        Answer(json.dumps({**SWEEP, "status": "interrupted", "reason": "no such data"})),
        Answer(json.dumps({"detail": "no ended trial"}), status=404, kind=PROBLEM),
    )
    seen: list[SweepState] = []
    info = SweepInfo.from_document(INFO)
    assert RemoteBackend(scripted.address).resume(info, on_progress=seen.append) is None
    assert [state.status for state in seen] == ["running", "interrupted", "interrupted"]
    assert [state.reason for state in seen] == [None, None, "no such data"]
    path = f"/sweeps/{INFO['id']}"
    asked = [f"POST {path}/resume", f"GET {path}/events", f"GET {path}", f"GET {path}/front"]
    assert [line for line, _ in scripted.asked] == asked
