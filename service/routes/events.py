"""`GET /sweeps/{sweep}/events`: a sweep as it runs, as server-sent events.

Events are a function of the sweep's trials in the order in which they ended, and an event's id is
the number of trials that have been told of. So one who comes back with `Last-Event-ID` is told of
those after it, by whichever service, whenever.
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
from service.dependencies import Named, Reading, Settings
from service.metrics import Metrics
from service.problems import ProblemError, documented
from service.queries import Snapshot, SweepQueries
from service.schemas import Row

router = APIRouter(
    prefix="/sweeps", tags=["sweeps"], responses=documented(400, 401, 403, 429, 500, 503)
)

POLL = 1.0  # seconds between two looks at the store, at least
RETRY = 2000  # milliseconds until one who was cut off should come again

_log = logging.getLogger("paretoib.service")


async def free_stream(request: Request, settings: Settings) -> Metrics:
    """Where open streams are counted; `ProblemError` while there are as many as may be."""
    metrics: Metrics = request.app.state.metrics
    if metrics.streams >= settings.max_streams:
        raise ProblemError(
            429,
            "too-many-streams",
            f"{settings.max_streams} event streams are open, as many as may at a time",
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
    row: Named,
    queries: Reading,
    metrics: Annotated[Metrics, Depends(free_stream)],
    last: Annotated[
        int, Header(alias="Last-Event-ID", ge=0, le=10**9, description="to go on after it")
    ] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """`progress`: status, trials and hypervolume, when they change. `point`: a trial that was on
    the front when it ended. `end`: the sweep runs no more, for what `reason` if its job has said
    so, and the stream is over.
    """
    with metrics.stream():
        shown: Row | None = None
        while True:
            began, took = time.monotonic(), 0.0
            try:
                row = await to_thread.run_sync(queries.by_id, row.sweep.id)
                if shown is None or row.version != shown.version:
                    told = await to_thread.run_sync(_told, queries, row, last)
                    took = time.monotonic() - began
                    for event in told:
                        yield event
                    last, shown = int(told[-1].id or 0), row
                if row.sweep.status != "running":
                    said = {"reason": row.sweep.reason} if row.sweep.reason else {}
                    yield _event("end", last, {"status": row.sweep.status, **said})
                    return
            except StoreError as error:
                _log.warning("%s", error)
            # A sweep of thousands of trials takes a while to read.
            await anyio.sleep(max(POLL, 4 * took))


def _told(queries: SweepQueries, row: Row, last: int) -> list[ServerSentEvent]:
    """What one who knows the first `last` trials is told, the whole of the progress last."""
    snapshot = queries.snapshot(row)
    sweep = row.sweep
    standing = {
        "status": sweep.status,
        "trials": sweep.trials.document,
        "hypervolume": sweep.hypervolume,
    }
    progress = _event("progress", len(snapshot.records), standing)
    progress.retry = RETRY
    return [*_points(snapshot, last), progress]


def _points(snapshot: Snapshot, last: int) -> Iterator[ServerSentEvent]:
    """The trials after the first `last` that nothing before them dominates or equals."""
    if len(snapshot.records) <= last:
        return
    finite = [p for p in snapshot.front.points if p.rate_bits is not None]
    ended = sorted(finite, key=lambda point: point.order)
    plane = np.array([(p.rate_bits, p.lost_bits) for p in ended], dtype=float).reshape(-1, 2)
    for place, point in enumerate(ended):
        behind = np.all(plane[:place] <= plane[place], axis=1).any()
        if point.order >= last and not behind:
            yield _event("point", point.order + 1, point.document)


def _event(name: str, told: int, data: object) -> ServerSentEvent:
    return ServerSentEvent(event=name, id=str(told), raw_data=json.dumps(data))
