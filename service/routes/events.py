"""`GET /sweeps/{sweep}/events`: the progress of a sweep as server-sent events.

The events are a function of the sweep's trials in the order in which they ended. An event's id is
the number of trials that the stream has covered, so a client that reconnects with `Last-Event-ID`
gets the events after it, from any instance of the service.
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
from service.dependencies import Named, Reading, Settings
from service.metrics import Metrics
from service.problems import ProblemError, documented
from service.queries import Snapshot, SweepQueries, version

router = APIRouter(
    prefix="/sweeps", tags=["sweeps"], responses=documented(400, 401, 403, 429, 500, 503)
)

POLL_SECONDS = 1.0  # between two reads of the store, at least
RETRY_MILLISECONDS = 2000  # after which a client that was cut off reconnects

_log = logging.getLogger("paretoib.service")


async def free_stream(request: Request, settings: Settings) -> Metrics:
    """The metrics that count open streams; `ProblemError` while the most that may be are open."""
    metrics: Metrics = request.app.state.metrics
    if metrics.streams >= settings.max_streams:
        raise ProblemError(
            429,
            "too-many-streams",
            f"{settings.max_streams} event streams are open, the most that may be; retry later",
            {"Retry-After": "10"},
        )
    return metrics


@router.get(
    "/{sweep}/events",
    response_class=EventSourceResponse,
    responses=documented(404, 422),
    summary="Watch a sweep",
)
async def events(
    state: Named,
    queries: Reading,
    metrics: Annotated[Metrics, Depends(free_stream)],
    last: Annotated[
        int, Header(alias="Last-Event-ID", ge=0, le=10**9, description="continue after this event")
    ] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """Events: `progress` when status, trials or hypervolume change; `point` for a trial that was
    on the front when it ended; `end`, with the `reason` if there is one, when the sweep has ended.
    """
    with metrics.stream():
        sent: SweepState | None = None
        while True:
            began, took = time.monotonic(), 0.0
            try:
                state = await to_thread.run_sync(queries.state, state.id)
                if sent is None or version(state) != version(sent):
                    events = await to_thread.run_sync(_events_after, queries, state, last)
                    took = time.monotonic() - began
                    for event in events:
                        yield event
                    last, sent = int(events[-1].id or 0), state
                if state.status != "running":
                    reason = {"reason": state.reason} if state.reason else {}
                    yield _event("end", last, {"status": state.status, **reason})
                    return
            except StoreError as error:
                _log.warning("%s", error)
            # A sweep of thousands of trials takes a while to read.
            await anyio.sleep(max(POLL_SECONDS, 4 * took))


def _events_after(queries: SweepQueries, state: SweepState, last: int) -> list[ServerSentEvent]:
    """The events for a client that has those of the first `last` trials; progress comes last."""
    snapshot = queries.snapshot(state)
    fields = {
        "status": state.status,
        "trials": state.trials.document,
        "hypervolume": state.hypervolume,
    }
    progress = _event("progress", len(snapshot.records), fields)
    progress.retry = RETRY_MILLISECONDS
    return [*_points(snapshot, last), progress]


def _points(snapshot: Snapshot, last: int) -> Iterator[ServerSentEvent]:
    """The trials after the first `last` that no earlier trial dominates or equals."""
    if len(snapshot.records) <= last:
        return
    finite = [p for p in snapshot.front.points if p.rate_bits is not None]
    ended = sorted(finite, key=lambda point: point.order)
    plane = np.array([(p.rate_bits, p.lost_bits) for p in ended], dtype=float).reshape(-1, 2)
    for index, point in enumerate(ended):
        dominated = np.all(plane[:index] <= plane[index], axis=1).any()
        if point.order >= last and not dominated:
            yield _event("point", point.order + 1, point.document)


def _event(name: str, trials: int, data: object) -> ServerSentEvent:
    return ServerSentEvent(event=name, id=str(trials), raw_data=json.dumps(data))
