"""Fronts and comparisons as what is sent: documents, tables, pictures."""

import csv
import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

from fastapi import Request
from starlette.responses import Response

from paretoib import fronts
from paretoib.documents import Document
from paretoib.records import Comparison, Front

_COLUMNS = (
    "rate_bits",
    "rate_lower_bits",
    "relevance_bits",
    "lost_bits",
    "accuracy",
    "on_front",
    "supported",
    "hull_gap_bits",
    "seconds",
    "order",
)
# As notebooks name it.
FIGURE = "application/vnd.plotly.v1+json"
# matplotlib's settings are the whole process's.
_drawing = Lock()


@dataclass(frozen=True)
class Rendered:
    """Something to send."""

    content: bytes
    media_type: str

    @cached_property
    def etag(self) -> str:
        """The entity tag: a hash of the bytes."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'


def conditional_response(
    request: Request, rendered: Rendered, headers: Mapping[str, str] | None = None
) -> Response:
    """The content with its ETag; 304 without content if the client has this version already."""
    headers = {"ETag": rendered.etag, "Vary": "Accept", **(headers or {})}
    if_none_match = request.headers.get("if-none-match", "")
    known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    if known & {rendered.etag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(rendered.content, media_type=rendered.media_type, headers=headers)


def document_response(request: Request, document: Document) -> Response:
    """A document as JSON, with the same ETag handling."""
    return conditional_response(request, Rendered(document.to_json().encode(), _JSON))


def render_front(front: Front, form: str) -> Rendered:
    """A front in one of the forms of `FRONTS`."""
    media_type, write = FRONTS[form]
    return Rendered(write(front), media_type)


def render_comparison(comparison: Comparison, form: str) -> Rendered:
    """A comparison in one of the forms of `COMPARISONS`."""
    media_type, write = COMPARISONS[form]
    return Rendered(write(comparison), media_type)


def front_csv(front: Front) -> bytes:
    """A line a trial that has a point, rate ascending, after a line of names."""
    params = list(dict.fromkeys(name for point in front.points for name in point.params))
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["trial", "seed", *params, *_COLUMNS, "beta_low", "beta_high"])
    for p in front.points:
        measured = [getattr(p, name) for name in _COLUMNS]
        rows.writerow(
            [p.trial, p.seed, *map(p.params.get, params), *measured, *(p.beta_interval or ())]
        )
    return text.getvalue().encode()


def _front_picture(front: Front) -> bytes:
    with _drawing:
        return fronts.front_png(front)


def _comparison_picture(comparison: Comparison) -> bytes:
    with _drawing:
        return fronts.comparison_png(comparison)


_JSON, _PAGE, _PNG = "application/json", "text/html; charset=utf-8", "image/png"
# The pictures' libraries are loaded when a name of theirs is first looked up.
FRONTS: Mapping[str, tuple[str, Callable[[Front], bytes]]] = {
    "json": (_JSON, lambda front: front.to_json().encode()),
    "csv": ("text/csv; charset=utf-8", front_csv),
    "html": (_PAGE, lambda front: fronts.front_html(front).encode()),
    "png": (_PNG, _front_picture),
    "figure": (FIGURE, lambda front: fronts.front_figure(front).encode()),
}
COMPARISONS: Mapping[str, tuple[str, Callable[[Comparison], bytes]]] = {
    "json": (_JSON, lambda comparison: comparison.to_json().encode()),
    "html": (_PAGE, lambda comparison: fronts.comparison_html(comparison).encode()),
    "png": (_PNG, _comparison_picture),
    "figure": (FIGURE, lambda comparison: fronts.comparison_figure(comparison).encode()),
}
