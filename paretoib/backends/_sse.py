"""Server-sent events of a service, through cuts of the connection."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from paretoib.backends._http import Http
from paretoib.errors import ServiceAwayError

AGAIN = 2.0  # seconds until one who was cut off comes again


@dataclass(frozen=True)
class Event:
    """One event; `data` is what its JSON says."""

    name: str
    id: str
    data: Any


def events(http: Http, path: str) -> Iterator[Event]:
    """The events of a stream until its `end`.

    After a cut they go on where they were (`Last-Event-ID`). Raises `ServiceAwayError` when
    nothing has been heard of the service for as long as its patience lasts.
    """
    last = ""
    heard = time.monotonic()
    while True:
        try:
            with http.lines(path, {"Last-Event-ID": last} if last else {}) as lines:
                for event in parsed(lines):
                    heard = time.monotonic()
                    if event is None:
                        continue
                    last = event.id
                    yield event
                    if event.name == "end":
                        return
            error = ServiceAwayError(f"{http.address} ended the stream of events")
        except ServiceAwayError as away:
            error = away
        if time.monotonic() - heard > http.patience:
            raise ServiceAwayError(f"gave up after {http.patience:g} s: {error}") from error
        time.sleep(AGAIN)


def parsed(lines: Iterable[str]) -> Iterator[Event | None]:
    """The events of a stream's lines (WHATWG HTML, 9.2.6); None for a sign of life."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            held = f"{fields['data']}\n" if name == "data" and "data" in fields else ""
            fields[name] = held + value
        elif "data" in fields:
            name, id_ = fields.get("event", "message"), fields.get("id", "")
            yield Event(name, id_, json.loads(fields["data"]))
            fields = {}
        else:
            fields = {}
            yield None
