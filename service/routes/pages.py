"""`GET /`: the list of sweeps. The JSON routes also serve the pages of sweeps and comparisons."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.dependencies import Offset, Queries, Settings
from service.pages import sweep_list_page
from service.schemas import Sweeps

router = APIRouter(include_in_schema=False)

_PAGE_SIZE = 50  # sweeps


@router.get("/")
def index(
    request: Request,
    queries: Queries,
    settings: Settings,
    name: str | None = None,
    method: str | None = None,
    dataset: str | None = None,
    status: str | None = None,
    tag: str | None = None,
    archived: bool = False,
    offset: Offset = 0,
) -> Response:
    """The list of sweeps, with filters and a form to submit a sweep."""
    filters = {"name": name, "method": method, "dataset": dataset, "status": status}
    # An empty field of the filter form does not filter.
    given = {field: value or None for field, value in filters.items()}
    tags = [tag] if tag else []
    sweeps = queries.filtered(**given, tags=tags, archived=archived)
    page = Sweeps(
        sweeps=tuple(sweeps[offset : offset + _PAGE_SIZE]),
        total=len(sweeps),
        offset=offset,
        limit=_PAGE_SIZE,
    )
    filters["tag"] = tag or None
    filters["archived"] = "true" if archived else None
    return sweep_list_page(request, page, filters, settings)
