"""The application: what it is made of, and what it does beside answering."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio import to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException

import paretoib
from jobs.submission import Jobs
from paretoib.errors import ParetoIBError
from service import pages
from service.controller import SweepController
from service.metrics import Metrics
from service.middleware import COOKIE, HEALTH, AccessMiddleware
from service.openapi_examples import add_examples
from service.problems import ProblemDocument, ProblemError, on_error
from service.queries import SweepQueries
from service.routes import catalogue, compare, events, health, session, static, sweeps
from service.settings import ServiceSettings, service_settings

_ROUTERS = (
    *(sweeps.router, events.router, compare.router, catalogue.router, health.router),
    *(pages.router, session.router, static.router),
)
_SAYS = (
    "Sweeps over the trade-off of the information bottleneck, and their fronts compared. Every "
    "error is a problem (RFC 9457); a browser that asks for a sweep or a comparison gets its page."
)

_log = logging.getLogger("paretoib.service")


def create_app(settings: ServiceSettings | None = None) -> FastAPI:
    """The service with these settings, by default the environment's.

    `ParetoIBError` for settings that cannot be.
    """
    settings = settings or service_settings()
    app = FastAPI(
        title="paretoib",
        version=paretoib.__version__,
        description=_SAYS,
        lifespan=_lifespan,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    metrics = Metrics()
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.queries = SweepQueries(settings.mlflow_pages)
    app.state.controller = SweepController(app.state.queries, Jobs(settings.ray_jobs), settings)
    for router in _ROUTERS:
        app.include_router(router)
    for error in (ProblemError, ParetoIBError, RequestValidationError, HTTPException):
        app.add_exception_handler(error, on_error)
    app.add_middleware(AccessMiddleware, settings=settings, metrics=metrics)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # It takes a while, for which whoever asks first would keep all others waiting.
    await to_thread.run_sync(app.openapi)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_keep_true, app.state.controller)
        yield
        tasks.cancel_scope.cancel()


async def _keep_true(controller: SweepController) -> None:
    """Compare MLflow with Ray: at once, and then for as long as the service runs."""
    while True:
        try:
            await to_thread.run_sync(
                controller.reconcile, abandon_on_cancel=True, limiter=controller.limiter
            )
        except ParetoIBError as error:
            _log.warning("%s", error)
        except Exception:
            _log.exception("sweeps could not be compared with Ray's jobs")
        await anyio.sleep(controller.pause)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's schema, with what it cannot know: tokens, problems, the body of a sweep."""
    if app.openapi_schema:
        return app.openapi_schema
    schema = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    components = schema["components"]
    sweep = catalogue.sweep_schema()
    components["schemas"] |= sweep["$defs"]
    components["schemas"]["SweepSpec"] = {k: v for k, v in sweep.items() if k != "$defs"}
    components["schemas"]["Problem"] = ProblemDocument.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    body = schema["paths"]["/sweeps"]["post"]["requestBody"]["content"]["application/json"]
    body["schema"] = {"$ref": "#/components/schemas/SweepSpec"}
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    }
    schema["security"] = [{"token": []}, {"cookie": []}]
    for path in HEALTH:
        schema["paths"][path]["get"]["security"] = []
    add_examples(schema)
    app.openapi_schema = schema
    return schema
