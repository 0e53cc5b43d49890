"""A client of server-sent events that reconnects after a lost connection."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from paretoib.backends._http import Http
from paretoib.errors import ServiceUnavailableError

RECONNECT_SECONDS = 2.0  # pause before reconnecting


@dataclass(frozen=True)
class Event:
    """One event; `data` is its parsed JSON."""

    name: str
    id: str
    data: Any


def events(http: Http, path: str) -> Iterator[Event]:
    """The events of a stream, up to and including its `end` event.

    After a lost connection the stream continues after the last event (`Last-Event-ID`). Raises
    `ServiceUnavailableError` when the service has sent nothing for `http.patience` seconds.
    """
    last = ""
    last_received = time.monotonic()
    while True:
        try:
            with http.lines(path, {"Last-Event-ID": last} if last else {}) as lines:
                for event in parse(lines):
                    last_received = time.monotonic()
                    if event is None:
                        continue
                    last = event.id
                    yield event
                    if event.name == "end":
                        return
            error = ServiceUnavailableError(f"{http.url} ended the stream of events")
        except ServiceUnavailableError as unavailable:
            error = unavailable
        if time.monotonic() - last_received > http.patience:
            raise ServiceUnavailableError(f"gave up after {http.patience:g} s: {error}") from error
        time.sleep(RECONNECT_SECONDS)


def parse(lines: Iterable[str]) -> Iterator[Event | None]:
    """The events in the lines of a stream (WHATWG HTML, 9.2.6); None for a keep-alive comment."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            previous = f"{fields['data']}\n" if name == "data" and "data" in fields else ""
            fields[name] = previous + value
        elif "data" in fields:
            name, id_ = fields.get("event", "message"), fields.get("id", "")
            yield Event(name, id_, json.loads(fields["data"]))
            fields = {}
        else:
            fields = {}
            yield None
