"""The pages' files: one style sheet, one script, and plotly's own."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from service.problems import ProblemError

router = APIRouter(include_in_schema=False)

FILES = {"service.css": "text/css", "service.js": "text/javascript"}
# Pages ask for each by a name that changes with its content.
_YEAR = "private, max-age=31536000, immutable"


@router.get("/static/plotly.js")
async def plotly() -> Response:
    """Plotly, as its package has it."""
    headers = {"Cache-Control": _YEAR}
    return FileResponse(plotly_script(), media_type="text/javascript", headers=headers)


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """The style sheet and the script."""
    if name not in FILES:
        raise ProblemError(404, "not-found", f"no file `{name}`")
    return Response(file(name), media_type=FILES[name], headers={"Cache-Control": _YEAR})


@cache
def file(name: str) -> bytes:
    """One of `FILES`."""
    return (Path(__file__).parents[1] / "static" / name).read_bytes()


@cache
def plotly_script() -> Path:
    """Where plotly's package keeps its script."""
    found = find_spec("plotly")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "package_data" / "plotly.min.js"
