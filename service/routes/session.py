"""`POST /login`, `/logout`: sign-in on the pages, with the token in a cookie."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from service.auth import COOKIE, find_token
from service.dependencies import Settings
from service.problems import ProblemError

router = APIRouter(include_in_schema=False)

_COOKIE_SECONDS = 30 * 86_400


@router.post("/login")
async def login(request: Request, settings: Settings) -> Response:
    """Store the token from the form in a cookie that scripts cannot read."""
    form = parse_qs((await request.body()).decode("latin-1"))
    secret = form.get("token", [""])[0].strip()
    if not find_token(secret, settings.tokens):
        raise ProblemError(401, "unauthorized", "the token is unknown")
    response = RedirectResponse("/", 303)
    response.set_cookie(
        COOKIE,
        secret,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        max_age=_COOKIE_SECONDS,
    )
    return response


@router.post("/logout")
async def logout() -> Response:
    """Delete the cookie."""
    response = RedirectResponse("/", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
