"""HTML pages, rendered from the templates: sweep list, sweep, comparison, problem, sign-in."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlencode

import yaml
from fastapi import Request
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.responses import HTMLResponse, Response

from paretoib.catalogue import catalogue, section_entries, sweep_schema
from paretoib.data import DATASETS
from paretoib.errors import SpecError
from paretoib.fronts import comparison_rows, comparison_statistics, format_number
from paretoib.records import Status, SweepState
from paretoib.specs import METHODS, SEARCHES, Training, preset_use
from service.assets import assets_version, plotly_version, read_asset
from service.auth import COOKIE
from service.headers import policy_with_inline_style
from service.problems import ProblemError
from service.queries import SweepQueries
from service.schemas import Sweeps
from service.settings import ServiceSettings

_TEMPLATES = Path(__file__).parent / "templates"


def wants_html(request: Request) -> bool:
    """Whether the client accepts HTML, as a browser does."""
    return "text/html" in request.headers.get("accept", "")


def sweep_list_page(
    request: Request, page: Sweeps, filters: dict[str, str | None], limits: ServiceSettings
) -> Response:
    """The sweeps that match the filters, and a form to submit a new one."""
    return _render(
        request,
        "index.html",
        page=page,
        neighbours=_neighbours(page, filters),
        filters=filters,
        filtered=any(filters.values()),
        running=any(sweep.status == "running" for sweep in page.sweeps),
        choices={
            "method": list(METHODS),
            "dataset": list(DATASETS),
            "status": get_args(Status),
        },
        limits=limits,
        **_form(),
    )


def sweep_page(request: Request, sweep: SweepState, queries: SweepQueries) -> Response:
    """The page of a sweep: status, front, trials, and sweeps to compare with."""
    others = [
        other
        for other in queries.filtered(dataset=sweep.dataset)
        if other.id != sweep.id
        and other.trials.finished
        and other.spec["data"] == sweep.spec["data"]
    ]
    return _render(
        request,
        "sweep.html",
        sweep=sweep,
        ended=sweep.trials.ended,
        spec=yaml.safe_dump(dict(sweep.spec), sort_keys=False, allow_unicode=True),
        preset=_preset(sweep.spec),
        mlflow=sweep.mlflow_url,
        every_seed=SEARCHES[sweep.spec["search"]].every_seed,
        # Sweeps of other methods come first, because these are compared most often.
        others=sorted(others, key=lambda other: other.method == sweep.method),
    )


def _preset(spec: Mapping[str, Any]) -> str:
    """How a sweep uses its preset, in one line; the name alone for a preset of another version."""
    try:
        return str(preset_use(spec) or "")
    except SpecError:
        return str(spec["preset"])


def comparison_page(
    request: Request,
    left: Sequence[SweepState],
    right: Sequence[SweepState],
    queries: SweepQueries,
    where: Sequence[str],
) -> Response:
    """Two fronts in one figure, with the indicators and the verdict."""
    comparison = queries.comparison(left, right, where)
    query = [("left", s.id) for s in left] + [("right", s.id) for s in right]
    query += [("where", condition) for condition in where]
    return _render(
        request,
        "compare.html",
        comparison=comparison,
        rows=comparison_rows(comparison),
        statistics=comparison_statistics(comparison),
        above_hull=[p for p in comparison.points if p.on_front and not p.supported],
        link=f"/compare?{urlencode(query)}",
    )


def problem_page(request: Request, problem: ProblemError) -> Response:
    """A problem as a page; for status 401 the sign-in form.

    The style sheet is part of the page, because a browser without a token cannot load the file.
    """
    style = read_asset("service.css").decode()
    return _render(
        request,
        "login.html" if problem.status == 401 else "problem.html",
        problem.status,
        {**problem.headers, "Content-Security-Policy": policy_with_inline_style(style)},
        style=style,
        problem=problem,
        unknown_token=request.scope["path"] == "/login",
    )


def _render(
    request: Request,
    template: str,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> Response:
    html = _environment().get_template(template)
    signed_in = COOKIE in request.cookies
    return HTMLResponse(
        html.render(signed_in=signed_in, **context),
        status,
        headers={"Vary": "Accept", **(headers or {})},
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"ago": _ago, "digits": format_number}
    environment.globals |= {"version": assets_version(), "plotly": plotly_version()}
    return environment


def _ago(when: datetime) -> str:
    """The time since `when`, in one unit: `3 min ago`."""
    seconds = max(0.0, (datetime.now(UTC) - when).total_seconds())
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def _neighbours(page: Sweeps, filters: dict[str, str | None]) -> list[tuple[str, str]]:
    """Labels and links of the previous and the next page of the list."""
    offsets = {"← newer": page.offset - page.limit, "older →": page.offset + page.limit}
    query = {field: value for field, value in filters.items() if value}
    return [
        (label, "/?" + urlencode({**query, "offset": max(0, offset)}))
        for label, offset in offsets.items()
        if -page.limit < offset < page.total
    ]


@cache
def _form() -> dict[str, Any]:
    """The registries and field schemas for the form that submits a sweep."""
    schema = sweep_schema()
    search_fields = ("objectives", "population", "trial_seconds", "reference")
    return {
        "methods": catalogue("methods"),
        "sections": {
            section: section_entries(section)
            for section in ("data", "model", "objective", "weighting")
        },
        "default_models": {name: entry.model for name, entry in DATASETS.items()},
        "several_tasks": {name for name, entry in DATASETS.items() if entry.tasks},
        "searches": list(SEARCHES),
        "training": Training.model_json_schema()["properties"],
        "search_fields": {name: schema["properties"][name] for name in search_fields},
        "limit_fields": {
            kind: schema["$defs"][kind.title()]["properties"]
            for kind in ("budget", "prune", "plateau", "resources")
        },
    }
