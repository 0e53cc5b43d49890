"""`GET /sweeps/{sweep}/events`: the progress of a sweep as server-sent events.

The `point` events depend only on the sweep's trials, in the order in which they ended. An event's
id is the number of trials that the stream has covered. So a client that reconnects with
`Last-Event-ID` gets the later `point` events, from any instance of the service.
"""

import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import anyio
import numpy as np
from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from paretoib.errors import StoreError
from paretoib.records import SweepState
from service.dependencies import NamedSweep, Queries, Settings
from service.metrics import Metrics
from service.problems import ProblemError, problem_responses
from service.queries import Snapshot, SweepQueries, version

router = APIRouter(
    prefix="/sweeps", tags=["sweeps"], responses=problem_responses(400, 401, 403, 429, 500, 503)
)

POLL_SECONDS = 1.0  # minimum time between two reads of the store
RETRY_MILLISECONDS = 2000  # pause of a disconnected client before it reconnects

_log = logging.getLogger("paretoib.service")


async def check_stream_limit(request: Request, settings: Settings) -> Metrics:
    """The metrics, which count open streams; raises `ProblemError` at the limit."""
    metrics: Metrics = request.app.state.metrics
    if metrics.open_streams >= settings.max_streams:
        raise ProblemError(
            429,
            "too-many-streams",
            f"at most {settings.max_streams} event streams should be open at the same time; "
            "retry later",
            {"Retry-After": "10"},
        )
    return metrics


@router.get(
    "/{sweep}/events",
    response_class=EventSourceResponse,
    responses=problem_responses(404, 422),
    summary="Watch a sweep",
)
async def events(
    state: NamedSweep,
    queries: Queries,
    metrics: Annotated[Metrics, Depends(check_stream_limit)],
    last: Annotated[
        int, Header(alias="Last-Event-ID", ge=0, le=10**9, description="continue after this event")
    ] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """`progress`: status, trials, hypervolume, workers or epochs changed. `point`: a trial that was
    on the front when it ended. `end`: the sweep has ended, with a `reason` if one is known; the
    last event.
    """
    with metrics.open_stream():
        sent: SweepState | None = None
        while True:
            started, seconds = time.monotonic(), 0.0
            try:
                state = await to_thread.run_sync(queries.state, state.id)
                if sent is None or version(state) != version(sent):
                    events = await to_thread.run_sync(_events_after, queries, state, last)
                    seconds = time.monotonic() - started
                    for event in events:
                        yield event
                    last, sent = int(events[-1].id or 0), state
                elif (state.packs, state.workers) != (sent.packs, sent.workers):
                    yield _progress(last, state)
                    sent = state
                if state.status != "running":
                    reason = {"reason": state.reason} if state.reason else {}
                    yield _event("end", last, {"status": state.status, **reason})
                    return
            except StoreError as error:
                _log.warning("%s", error)
            # Reading thousands of trials takes seconds: read for at most a fifth of the time.
            await anyio.sleep(max(POLL_SECONDS, 4 * seconds))


def _events_after(queries: SweepQueries, state: SweepState, last: int) -> list[ServerSentEvent]:
    """The events after those of the first `last` trials; the `progress` event comes last."""
    snapshot = queries.snapshot(state)
    # A cached snapshot may have fewer trials than the client has seen. An id must never go back.
    progress = _progress(max(last, len(snapshot.records)), state)
    progress.retry = RETRY_MILLISECONDS
    return [*_points(snapshot, last), progress]


def _progress(trials: int, state: SweepState) -> ServerSentEvent:
    fields = ("status", "trials", "hypervolume", "workers", "packs")
    document = state.document
    return _event("progress", trials, {field: document[field] for field in fields})


def _points(snapshot: Snapshot, last: int) -> Iterator[ServerSentEvent]:
    """The trials after the first `last` that no earlier trial dominates or equals."""
    if len(snapshot.records) <= last:
        return
    finite = [p for p in snapshot.front.points if p.rate_bits is not None]
    ended = sorted(finite, key=lambda point: point.order)
    coordinates = np.array([(p.rate_bits, p.lost_bits) for p in ended], dtype=float).reshape(-1, 2)
    for index, point in enumerate(ended):
        dominated = np.all(coordinates[:index] <= coordinates[index], axis=1).any()
        if point.order >= last and not dominated:
            yield _event("point", point.order + 1, point.document)


def _event(name: str, trials: int, data: object) -> ServerSentEvent:
    return ServerSentEvent(event=name, id=str(trials), raw_data=json.dumps(data))
