"""Turns every exception into a response: a page for a browser, else a problem document."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from paretoib.errors import ParetoIBError
from service.pages import problem_page, wants_html
from service.problems import ProblemError, problem_of


def add_exception_handlers(app: FastAPI) -> None:
    """Handle every exception that a route is expected to raise."""
    for error in (ProblemError, ParetoIBError, RequestValidationError, HTTPException):
        app.add_exception_handler(error, error_response)


async def error_response(request: Request, error: Exception) -> Response:
    """The exception as HTML if the client accepts HTML, otherwise as `application/problem+json`."""
    problem = problem_of(error)
    return problem_page(request, problem) if wants_html(request) else problem.response()
