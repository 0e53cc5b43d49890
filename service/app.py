"""Builds the FastAPI application: state, routes, middleware and the background reconcile loop."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio import to_thread
from fastapi import FastAPI

import paretoib
from jobs.submission import Jobs
from paretoib.errors import ParetoIBError
from service.controller import SweepController
from service.exception_handlers import add_exception_handlers
from service.metrics import Metrics
from service.middleware import AccessMiddleware
from service.openapi import openapi_schema
from service.queries import SweepQueries
from service.routes import catalogue, compare, events, health, pages, session, static, sweeps
from service.settings import ServiceSettings, service_settings

_ROUTERS = (
    *(sweeps.router, events.router, compare.router, catalogue.router, health.router),
    *(pages.router, session.router, static.router),
)
_DESCRIPTION = (
    "Runs sweeps over the information-bottleneck trade-off and compares their fronts. Every "
    "error is a problem document (RFC 9457). A browser gets a page for a sweep or a comparison."
)

_log = logging.getLogger("paretoib.service")


def create_app(settings: ServiceSettings | None = None) -> FastAPI:
    """The application with these settings, by default those of the environment.

    Raises `ParetoIBError` for invalid settings.
    """
    settings = settings or service_settings()
    app = FastAPI(
        title="paretoib",
        version=paretoib.__version__,
        description=_DESCRIPTION,
        lifespan=_lifespan,
        # FastAPI's documentation pages load scripts from another origin.
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
    add_exception_handlers(app)
    app.add_middleware(AccessMiddleware, settings=settings, metrics=metrics)
    app.openapi = lambda: openapi_schema(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # Building the schema takes seconds and would block the event loop during the first request.
    await to_thread.run_sync(app.openapi)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_reconcile_forever, app.state.controller)
        yield
        tasks.cancel_scope.cancel()


async def _reconcile_forever(controller: SweepController) -> None:
    """Reconcile MLflow with Ray at startup and then periodically."""
    while True:
        try:
            await to_thread.run_sync(
                controller.reconcile, abandon_on_cancel=True, limiter=controller.limiter
            )
        except ParetoIBError as error:
            _log.warning("%s", error)
        except Exception:
            _log.exception("could not compare sweeps with Ray's jobs")
        await anyio.sleep(controller.pause)
