"""The pages: rendered here, with one style sheet, one script, and plotly's own."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlencode

import yaml
from fastapi import APIRouter, Request
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.responses import HTMLResponse, Response

from paretoib.data import DATASETS
from paretoib.fronts import comparison_rows, comparison_statistics
from paretoib.models import MODELS
from paretoib.objectives import OBJECTIVES
from paretoib.records import Status
from paretoib.specs import METHODS, SEARCHES, Training
from paretoib.weighting import WEIGHTINGS
from service import words
from service.dependencies import Offset, Reading, Settings
from service.middleware import COOKIE, CSP
from service.problems import ProblemError
from service.queries import SweepQueries
from service.routes.catalogue import method_rows, rows, sweep_schema
from service.routes.static import FILES, file, plotly_script
from service.schemas import Row, Sweeps

router = APIRouter(include_in_schema=False)

_FOLDER = Path(__file__).parent
_A_PAGE = 50  # sweeps


def wants_page(request: Request) -> bool:
    """Whether a browser asks, for a person to look at."""
    return "text/html" in request.headers.get("accept", "")


@router.get("/")
def index(
    request: Request,
    queries: Reading,
    settings: Settings,
    name: str | None = None,
    method: str | None = None,
    dataset: str | None = None,
    status: str | None = None,
    offset: Offset = 0,
) -> Response:
    """The sweeps, and a form to submit one."""
    filters = {"name": name, "method": method, "dataset": dataset, "status": status}
    found = queries.listed(**{field: value or None for field, value in filters.items()})
    page = Sweeps(
        sweeps=tuple(found[offset : offset + _A_PAGE]),
        total=len(found),
        offset=offset,
        limit=_A_PAGE,
    )
    return _page(
        request,
        "index.html",
        page=page,
        pages=_neighbours(page, filters),
        filters=filters,
        filtered=any(filters.values()),
        running=any(sweep.status == "running" for sweep in page.sweeps),
        choices={
            "method": list(METHODS),
            "dataset": list(DATASETS),
            "status": get_args(Status),
        },
        limits=settings,
        **_form(),
    )


def sweep_page(request: Request, row: Row, queries: SweepQueries) -> Response:
    """A sweep: how it stands, its front, its trials, and what it can be compared with."""
    sweep = row.sweep
    sides = ("linear", "adaptive")
    adaptive = "beta" not in sweep.spec["weighting"]
    others = [
        other
        for other in queries.listed(dataset=sweep.dataset)
        if other.id != sweep.id
        and other.trials.finished
        and other.spec["data"] == sweep.spec["data"]
    ]
    return _page(
        request,
        "sweep.html",
        sweep=sweep,
        ended=sweep.trials.finished + sweep.trials.stopped + sweep.trials.failed,
        spec=yaml.safe_dump(dict(sweep.spec), sort_keys=False, allow_unicode=True),
        mlflow=queries.link(row),
        # Those of another method come first: they are what there is to compare with.
        others=sorted(others, key=lambda other: other.method == sweep.method),
        side=sides[adaptive],
        other_side=sides[not adaptive],
    )


def comparison_page(
    request: Request, left: Sequence[Row], right: Sequence[Row], queries: SweepQueries
) -> Response:
    """Both fronts on one plane, the indicators, the verdict."""
    comparison = queries.comparison(left, right)
    named = [("linear", row.sweep.id) for row in left] + [("adaptive", r.sweep.id) for r in right]
    return _page(
        request,
        "compare.html",
        comparison=comparison,
        rows=comparison_rows(comparison),
        statistics=comparison_statistics(comparison),
        unsupported=[p for p in comparison.points if p.on_front and not p.supported],
        link=f"/compare?{urlencode(named)}",
    )


def page_of_problem(request: Request, problem: ProblemError) -> Response:
    """A problem for a person: of one who is not known, the question for a token."""
    # It may be for one without a token, to whom no other file is open; so it brings its style.
    style = file("service.css").decode()
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    allowed = CSP.replace("style-src-elem", f"style-src-elem 'sha256-{hashed}'")
    return _page(
        request,
        "login.html" if problem.status == 401 else "problem.html",
        problem.status,
        {**problem.headers, "Content-Security-Policy": allowed},
        style=style,
        problem=problem,
        wrong=request.scope["path"] == "/login",
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"ago": words.ago, "digits": words.digits}
    stat = plotly_script().stat()
    environment.globals |= {
        "version": hashlib.sha256(b"".join(map(file, FILES))).hexdigest()[:12],
        "plotly": f"{stat.st_size:x}",
    }
    return environment


def _page(
    request: Request,
    template: str,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> Response:
    page = _environment().get_template(template)
    signed_in = COOKIE in request.cookies
    return HTMLResponse(
        page.render(signed_in=signed_in, **context),
        status,
        headers={"Vary": "Accept", **(headers or {})},
    )


def _neighbours(page: Sweeps, filters: dict[str, str | None]) -> list[tuple[str, str]]:
    """Links to newer and older sweeps."""
    offsets = {"← newer": page.offset - page.limit, "older →": page.offset + page.limit}
    kept = {field: value for field, value in filters.items() if value}
    return [
        (label, "/?" + urlencode({**kept, "offset": max(0, offset)}))
        for label, offset in offsets.items()
        if -page.limit < offset < page.total
    ]


@cache
def _form() -> dict[str, Any]:
    """What the form to submit a sweep is made from."""
    schema = sweep_schema()
    searching = ("objectives", "population", "trial_seconds", "reference")
    return {
        "methods": method_rows(),
        "sections": {
            "data": rows("data", DATASETS),
            "model": rows("model", MODELS),
            "objective": rows("objective", OBJECTIVES),
            "weighting": rows("weighting", WEIGHTINGS),
        },
        "own_models": {name: row.model for name, row in DATASETS.items()},
        "several_tasks": {name for name, row in DATASETS.items() if row.tasks},
        "searches": list(SEARCHES),
        "training": Training.model_json_schema()["properties"],
        "searching": {name: schema["properties"][name] for name in searching},
        "limited": {
            kind: schema["$defs"][kind.title()]["properties"]
            for kind in ("budget", "prune", "plateau", "resources")
        },
    }
