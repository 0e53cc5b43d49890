"""Signing in and out on the pages: the token as a cookie."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from service.auth import COOKIE, find_token
from service.dependencies import Settings
from service.problems import ProblemError

router = APIRouter(include_in_schema=False)


@router.post("/login")
async def login(request: Request, settings: Settings) -> Response:
    """Keep the token of the form as a cookie that no script can read."""
    form = parse_qs((await request.body()).decode("latin-1"))
    token = form.get("token", [""])[0].strip()
    if not find_token(token, settings.tokens):
        raise ProblemError(401, "unauthorized", "that token is not known")
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        COOKIE,
        token,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        max_age=30 * 86_400,
    )
    return answer


@router.post("/logout")
async def logout() -> Response:
    """Forget it."""
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer
