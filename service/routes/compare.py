"""`GET /compare`: the fronts of two sides, each with one or more sweeps."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from paretoib.records import Comparison
from service.dependencies import Queries, SingleTrials, Where
from service.headers import SANDBOX_POLICY
from service.pages import comparison_page, wants_html
from service.problems import problem_responses
from service.rendering import FIGURE, IMAGES, TABLE_CONTENT, conditional_response

router = APIRouter(
    tags=["fronts"], responses=problem_responses(400, 401, 403, 404, 422, 429, 500, 503)
)

Side = Annotated[
    list[Annotated[str, Query(min_length=1, max_length=200)]],
    Query(
        min_length=1,
        max_length=20,
        description="A sweep's id, the first 4 or more characters of it, or its name. May be "
        "repeated: the trials of all these sweeps form one front.",
    ),
]


@router.get(
    "/compare",
    response_model=Comparison,
    responses={200: {"content": {"text/html": {}, **TABLE_CONTENT, **IMAGES, FIGURE: {}}}},
    summary="Compare fronts",
)
def compare(
    request: Request,
    queries: Queries,
    left: Side,
    right: Side,
    where: Where = [],  # noqa: B006  (FastAPI copies it)
    trials: SingleTrials = False,
    format: Annotated[
        Literal["json", "csv", "parquet", "html", "png", "pdf", "svg", "figure"],
        Query(description="`figure`: the JSON of the plotly figure that `html` shows."),
    ] = "json",
) -> Response:
    """The JSON of `paretoib compare --json`; with `Accept: text/html` a page.

    `csv` and `parquet` have a row for each setting, or for each trial if no setting has two seeds.
    """
    left_states, right_states = ([queries.find(name) for name in side] for side in (left, right))
    if wants_html(request) and "format" not in request.query_params:
        return comparison_page(request, left_states, right_states, queries, where)
    headers = {"Content-Security-Policy": SANDBOX_POLICY} if format in ("html", "svg") else {}
    rendered = queries.rendered_comparison(
        left_states, right_states, format, trials=trials, where=where
    )
    return conditional_response(request, rendered, headers)
