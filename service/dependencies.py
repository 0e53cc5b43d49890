"""FastAPI dependencies and parameter types that several routes share."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from paretoib.records import SweepState
from service.controller import SweepController
from service.queries import SweepQueries
from service.settings import ServiceSettings

SweepReference = Annotated[
    str,
    Path(
        min_length=1,
        max_length=200,
        description="A sweep's id, the first 4 or more characters of it, or its name.",
        examples=["vib-digits"],
    ),
]
SweepId = Annotated[
    str,
    Path(
        pattern="^[0-9a-f]{32}$",
        description="A sweep's id.",
        examples=["0d1e2f3a4b5c6d7e8f90a1b2c3d4e5f6"],
    ),
]
Offset = Annotated[int, Query(ge=0, le=10_000_000, description="Number of entries to skip.")]

Where = Annotated[
    list[Annotated[str, Query(min_length=1, max_length=200)]],
    Query(
        max_length=20,
        description="Only trials that satisfy this condition, such as `beta<0.1` or "
        "`accuracy>=0.95`; a measure is the mean of a setting over its seeds. May be repeated.",
    ),
]
SingleTrials = Annotated[
    bool,
    Query(description="In tables and pictures, single trials instead of means over seeds."),
]


# These are coroutines, because FastAPI runs a plain function in a thread, and all threads may be
# busy.
async def get_settings(request: Request) -> ServiceSettings:
    """The settings of the service."""
    settings: ServiceSettings = request.app.state.settings
    return settings


async def get_queries(request: Request) -> SweepQueries:
    """The queries, which read sweeps and fronts."""
    queries: SweepQueries = request.app.state.queries
    return queries


async def get_controller(request: Request) -> SweepController:
    """The controller, which submits and cancels sweeps."""
    controller: SweepController = request.app.state.controller
    return controller


Settings = Annotated[ServiceSettings, Depends(get_settings)]
Queries = Annotated[SweepQueries, Depends(get_queries)]
Controller = Annotated[SweepController, Depends(get_controller)]


def named_sweep(sweep: SweepReference, queries: Queries) -> SweepState:
    """The sweep with the id, unique prefix or name in the path. Raises `NotFoundError`."""
    return queries.find(sweep)


def sweep_by_id(sweep: SweepId, queries: Queries) -> SweepState:
    """The sweep with the id in the path. Raises `NotFoundError`."""
    return queries.state(sweep)


NamedSweep = Annotated[SweepState, Depends(named_sweep)]
SweepById = Annotated[SweepState, Depends(sweep_by_id)]
