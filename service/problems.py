"""Problem documents (RFC 9457): every error as `application/problem+json`."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from paretoib.errors import (
    ChoiceError,
    ClusterError,
    ComparisonError,
    DataError,
    DeletedExperimentError,
    FilterError,
    NotFoundError,
    ParetoIBError,
    SpecError,
    StoreError,
    StoreUnavailableError,
)

_log = logging.getLogger("paretoib.service")

MEDIA_TYPE = "application/problem+json"
_MAX_DETAIL = 1000  # characters; the detail may quote values from the request


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="kind of error: `urn:paretoib:problem:…`")
    title: str = Field(description="name of the HTTP status")
    status: int = Field(description="HTTP status")
    detail: str = Field(description="the rule and the value found, in one line")


class ProblemError(Exception):
    """An error response: HTTP status, kind, one line of detail, and extra headers."""

    def __init__(
        self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        # JSON may contain a lone surrogate, which cannot be encoded as UTF-8.
        plain = detail.encode(errors="backslashreplace").decode()
        self.detail = plain if len(plain) <= _MAX_DETAIL else f"{plain[:_MAX_DETAIL]}…"
        self.headers = dict(headers or {})

    @property
    def document(self) -> dict[str, Any]:
        """The fields of the problem document."""
        title = HTTPStatus(self.status).phrase
        kind = f"urn:paretoib:problem:{self.kind}"
        return {"type": kind, "title": title, "status": self.status, "detail": self.detail}

    def response(self) -> Response:
        """The problem as a JSON response."""
        return JSONResponse(self.document, self.status, headers=self.headers, media_type=MEDIA_TYPE)


# Status, kind and detail of each library error. None: the detail is the error's own message.
# Messages about MLflow and Ray may contain internal addresses, so these errors have fixed details.
_ERRORS: dict[type[ParetoIBError], tuple[int, str, str | None]] = {
    NotFoundError: (404, "not-found", None),
    SpecError: (422, "invalid-sweep", None),
    DataError: (422, "invalid-data", None),
    ComparisonError: (422, "not-comparable", None),
    FilterError: (422, "invalid-filter", None),
    ChoiceError: (422, "no-choice", None),
    StoreUnavailableError: (503, "store-unavailable", "MLflow does not answer"),
    DeletedExperimentError: (409, "experiment-deleted", None),
    StoreError: (500, "store-refused", "MLflow refuses the request; see the log of the service"),
    ClusterError: (503, "cluster-unavailable", "Ray does not answer, or reports an error"),
    ParetoIBError: (422, "refused", None),
}


def problem_of(error: Exception) -> ProblemError:
    """Any exception as a problem; an unexpected one becomes a 500 without details."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, RequestValidationError):
        return ProblemError(422, "invalid-request", _first_error(error))
    if isinstance(error, HTTPException):
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return ProblemError(error.status_code, kind, str(error.detail), error.headers)
    for kind_of_error in type(error).__mro__:
        if kind_of_error in _ERRORS:
            status, kind, detail = _ERRORS[kind_of_error]
            headers = {"Retry-After": "5"} if status == 503 else None
            if status == 500:
                _log.error("%s", error)
            return ProblemError(status, kind, detail or str(error), headers)
    return ProblemError(500, "fault", "internal error; see the log of the service")


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI descriptions of problem responses with these statuses."""
    return {status: _problem_response(status) for status in statuses}


def _problem_response(status: int) -> dict[str, Any]:
    kind, detail = _EXAMPLES[status]
    content = {
        "schema": {"$ref": "#/components/schemas/Problem"},
        "example": ProblemError(status, kind, detail).document,
    }
    return {"description": _DESCRIPTIONS[status], "content": {MEDIA_TYPE: content}}


def _first_error(error: RequestValidationError) -> str:
    first, *more = error.errors()
    location = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    found = "" if first["type"] in ("missing", "json_invalid") else f"; found {first['input']!r}"
    return f"{location}: {first['msg']}{found}" + (f" (and {len(more)} more)" if more else "")


_DESCRIPTIONS = {
    400: "The request cannot be parsed, or its Host header is not allowed.",
    401: "The token is missing or unknown.",
    403: "The token lacks the scope, or a page of another origin sent the request.",
    404: "There is no such sweep or trial, or the sweep has no ended trial yet.",
    405: "The path does not support the method.",
    409: "The sweep's status does not allow the action; with `Retry-After`, retry later.",
    413: "The body is too large.",
    422: "The request is invalid; `detail` states the rule and the value found.",
    429: "Too many requests, sweeps or event streams; retry after `Retry-After` seconds.",
    500: "Internal error.",
    503: "MLflow or Ray does not answer; retry after `Retry-After` seconds.",
}
_EXAMPLES = {
    400: ("bad-request", "There was an error parsing the body"),
    401: ("unauthorized", "a token is required: `Authorization: Bearer TOKEN`"),
    403: ("scope", "the token should have scope write; `reader` has read"),
    404: ("not-found", "no sweep `0123abcd`: should be a sweep's id, …"),
    405: ("method-not-allowed", "Method Not Allowed"),
    409: ("not-running", "a sweep should be running; found finished"),
    413: ("content-too-large", "the body should have at most 262144 bytes"),
    422: ("invalid-sweep", "unknown method: should be one of mib, mgda, vib; found `vip`"),
    429: ("too-many-requests", "a token should send at most 1200 requests a minute"),
    500: ("fault", "internal error; see the log of the service"),
    503: ("cluster-unavailable", "Ray does not answer, or reports an error"),
}
