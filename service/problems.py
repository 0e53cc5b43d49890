"""What goes wrong, as RFC 9457 has it: every error is one `application/problem+json`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from paretoib.errors import (
    ClusterError,
    ComparisonError,
    DataError,
    NotFoundError,
    ParetoIBError,
    SpecError,
    StoreError,
)

MEDIA_TYPE = "application/problem+json"
_LONGEST = 1000  # characters of a detail: it may quote what was sent


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="what went wrong: `urn:paretoib:problem:…`")
    title: str = Field(description="the status in words")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="the rule and what was found instead, in one line")


class ProblemError(Exception):
    """A refusal: its HTTP status, its kind, one plain line, and headers to send with it."""

    def __init__(
        self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        # Half a surrogate pair, which JSON may quote, is no text to send.
        plain = detail.encode(errors="backslashreplace").decode()
        self.detail = plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}…"
        self.headers = dict(headers or {})

    @property
    def document(self) -> dict[str, Any]:
        """What is sent."""
        title = HTTPStatus(self.status).phrase
        kind = f"urn:paretoib:problem:{self.kind}"
        return {"type": kind, "title": title, "status": self.status, "detail": self.detail}

    def response(self) -> Response:
        """The problem as JSON."""
        return JSONResponse(self.document, self.status, headers=self.headers, media_type=MEDIA_TYPE)


# What a client learns of each of paretoib's errors. Of a store or cluster that does not answer it
# is told no more than that: the message has addresses in it, and is logged.
_ERRORS: dict[type[ParetoIBError], tuple[int, str, str | None]] = {
    NotFoundError: (404, "not-found", None),
    SpecError: (422, "invalid-sweep", None),
    DataError: (422, "invalid-data", None),
    ComparisonError: (422, "not-comparable", None),
    StoreError: (503, "store-unavailable", "MLflow does not answer"),
    ClusterError: (503, "cluster-unavailable", "Ray does not answer as it should"),
    ParetoIBError: (422, "refused", None),
}


def problem_of(error: Exception) -> ProblemError:
    """Any exception as a problem; what was not foreseen is a 500 that says nothing of itself."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, RequestValidationError):
        return ProblemError(422, "invalid-request", _first(error))
    if isinstance(error, HTTPException):
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return ProblemError(error.status_code, kind, str(error.detail), error.headers)
    for kind_of_error in type(error).__mro__:
        if kind_of_error in _ERRORS:
            status, kind, said = _ERRORS[kind_of_error]
            headers = {"Retry-After": "5"} if status == 503 else None
            return ProblemError(status, kind, said or str(error), headers)
    return ProblemError(500, "fault", "a fault of the service's own; its log says more")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These statuses as problems, for OpenAPI."""
    return {status: _documented(status) for status in statuses}


def _documented(status: int) -> dict[str, Any]:
    kind, detail = _EXAMPLES[status]
    content = {
        "schema": {"$ref": "#/components/schemas/Problem"},
        "example": ProblemError(status, kind, detail).document,
    }
    return {"description": _MEANING[status], "content": {MEDIA_TYPE: content}}


def _first(error: RequestValidationError) -> str:
    first, *more = error.errors()
    place = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    found = "" if first["type"] in ("missing", "json_invalid") else f"; found {first['input']!r}"
    return f"{place}: {first['msg']}{found}" + (f" (and {len(more)} more)" if more else "")


_MEANING = {
    400: "The request cannot be read, or calls the service by a name that it does not have.",
    401: "No token, or one that is not known.",
    403: "The token's scope does not reach, or a page from elsewhere sent the request.",
    404: "There is no such sweep or trial, or it has nothing to show yet.",
    405: "The method is not one of this address.",
    409: "The sweep's state does not allow it.",
    413: "The body is larger than it may be.",
    422: "The request breaks a rule; `detail` says which, and what was found.",
    429: "Too many requests or sweeps at a time; `Retry-After` says when to come again.",
    500: "A fault of the service's own.",
    503: "MLflow or Ray does not answer; come again after `Retry-After` seconds.",
}
_EXAMPLES = {
    400: ("bad-request", "There was an error parsing the body"),
    401: ("unauthorized", "a token is needed: `Authorization: Bearer …`"),
    403: ("forbidden", "the token should have scope write; found read"),
    404: ("not-found", "no sweep `0123abcd`: should be a sweep's id, …"),
    405: ("method-not-allowed", "Method Not Allowed"),
    409: ("not-running", "a sweep should be running to be cancelled; found finished"),
    413: ("content-too-large", "a body should have at most 262144 bytes"),
    422: ("invalid-sweep", "unknown method: should be one of mib, mgda, vib; found `vip`"),
    429: ("too-many-requests", "a token has 1200 requests a minute"),
    500: ("fault", "a fault of the service's own; its log says more"),
    503: ("cluster-unavailable", "Ray does not answer as it should"),
}
