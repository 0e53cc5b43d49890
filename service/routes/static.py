"""`GET /static/…`: the files of the pages."""

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from service.assets import MEDIA_TYPES, plotly_path, read_asset
from service.problems import ProblemError

router = APIRouter(include_in_schema=False)

# The pages add the file's version to the URL, so a cached file never goes out of date.
_CACHE = {"Cache-Control": "private, max-age=31536000, immutable"}


@router.get("/static/plotly.js")
async def plotly() -> Response:
    """Plotly's script from the installed package."""
    return FileResponse(plotly_path(), media_type="text/javascript", headers=_CACHE)


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """The style sheet or the script of the pages."""
    if name not in MEDIA_TYPES:
        raise ProblemError(404, "not-found", f"no file `{name}`")
    return Response(read_asset(name), media_type=MEDIA_TYPES[name], headers=_CACHE)
