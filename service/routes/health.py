"""`GET /healthz`, `/readyz`, `/metrics`: health checks and Prometheus metrics."""

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
from service.dependencies import Queries
from service.metrics import Metrics
from service.problems import problem_responses

router = APIRouter(tags=["operation"])

TIMEOUT = 5.0  # seconds for MLflow or Ray to answer
State = Literal["ok", "down"]

T = TypeVar("T")


class Health(BaseModel):
    """The process is running."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether MLflow and Ray answer."""

    mlflow: State
    ray: State


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Liveness", responses=problem_responses(400))
async def healthz() -> Health:
    """Always `ok` while the process runs. Needs no token, and does not contact MLflow or Ray."""
    return Health()


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    response_model=Readiness,
    responses={
        503: {"model": Readiness, "description": "MLflow or Ray does not answer."},
        **problem_responses(400),
    },
    summary="Readiness: whether MLflow and Ray answer",
)
async def readyz(request: Request) -> Response:
    """`ok` or `down` for MLflow and for Ray. Needs no token."""
    state = request.app.state
    states = {
        "mlflow": await _state(state.queries.check),
        "ray": await _state(state.controller.check),
    }
    return JSONResponse(states, 200 if set(states.values()) == {"ok"} else 503)


@router.get(
    "/metrics",
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **problem_responses(400, 401, 403, 429, 500, 503),
    },
    response_class=Response,
    summary="Prometheus metrics",
)
async def prometheus(request: Request, queries: Queries) -> Response:
    """Requests by route, open event streams, sweeps by status."""
    metrics: Metrics = request.app.state.metrics
    # While MLflow does not answer, the last known counts of sweeps stay.
    with suppress(StoreError, TimeoutError):
        sweeps = await _call(queries.sweeps)
        metrics.set_sweeps(Counter(state.status for state in sweeps))
    return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@cache
def _threads() -> anyio.CapacityLimiter:
    """Threads for checks that may hang, separate from the threads of the other routes."""
    return anyio.CapacityLimiter(4)


async def _call(blocking: Callable[[], T]) -> T:
    """The result of a blocking call; raises `TimeoutError` after `TIMEOUT`."""
    with anyio.fail_after(TIMEOUT):
        return await to_thread.run_sync(blocking, abandon_on_cancel=True, limiter=_threads())


async def _state(check: Callable[[], None]) -> State:
    try:
        await _call(check)
    except (ParetoIBError, TimeoutError):
        return "down"
    return "ok"
