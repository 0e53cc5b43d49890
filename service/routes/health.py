"""`GET /healthz`, `/readyz`, `/metrics`: for those who keep the service running."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Literal, TypeVar

import anyio
from anyio import to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from paretoib.errors import ParetoIBError, StoreError
from service.dependencies import Reading
from service.metrics import Metrics
from service.problems import documented

router = APIRouter(tags=["operation"])

PATIENCE = 5.0  # seconds for an answer of MLflow or Ray
State = Literal["ok", "down"]

T = TypeVar("T")


class Health(BaseModel):
    """The process is there."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether MLflow and Ray answer."""

    mlflow: State
    ray: State


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Whether the process is there", responses=documented(400))
async def healthz() -> Health:
    """Needs no token and asks nobody."""
    return Health()


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    response_model=Readiness,
    responses={
        503: {"model": Readiness, "description": "One of them does not answer."},
        **documented(400),
    },
    summary="Whether MLflow and Ray answer",
)
async def readyz(request: Request) -> Response:
    """Needs no token; says of each no more than whether it answers."""
    state = request.app.state
    found = {
        "mlflow": await _state(state.queries.check),
        "ray": await _state(state.controller.check),
    }
    return JSONResponse(found, 200 if set(found.values()) == {"ok"} else 503)


@router.get(
    "/metrics",
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **documented(400, 401, 403, 429, 500, 503),
    },
    response_class=Response,
    summary="Prometheus' metrics",
)
async def prometheus(request: Request, queries: Reading) -> Response:
    """Requests by route, open streams, sweeps by status."""
    metrics: Metrics = request.app.state.metrics
    # While the store is away, its sweeps are as they were.
    with suppress(StoreError, TimeoutError):
        sweeps = await _answer(queries.sweeps)
        metrics.sweeps(Counter(state.status for state in sweeps))
    return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@cache
def _few() -> anyio.CapacityLimiter:
    """Threads for checks that may hang; the routes' own stay free."""
    return anyio.CapacityLimiter(4)


async def _answer(ask: Callable[[], T]) -> T:
    """What something that blocks, or hangs, says; `TimeoutError` where it takes too long."""
    with anyio.fail_after(PATIENCE):
        return await to_thread.run_sync(ask, abandon_on_cancel=True, limiter=_few())


async def _state(check: Callable[[], None]) -> State:
    try:
        await _answer(check)
    except (ParetoIBError, TimeoutError):
        return "down"
    return "ok"
