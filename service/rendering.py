"""Renders fronts and comparisons as documents and pictures, and sends them with an ETag."""

import csv
import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
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
    "accuracy_sampled",
    "accuracy_one_sample",
    "on_front",
    "supported",
    "hull_gap_bits",
    "seconds",
    "order",
)
_GAP_COLUMNS = ("hull_gap_low", "hull_gap_high")
# The media type that Jupyter uses for a plotly figure.
FIGURE = "application/vnd.plotly.v1+json"
_MEDIA_TYPES: Mapping[fronts.ImageFormat, str] = {
    "png": "image/png",
    "pdf": "application/pdf",
    "svg": "image/svg+xml",
}
# The media types of images, for the OpenAPI description.
IMAGES: Mapping[str, dict[str, object]] = {name: {} for name in _MEDIA_TYPES.values()}
# matplotlib's settings are global to the process, so figures are drawn one at a time.
_matplotlib = Lock()


@dataclass(frozen=True)
class Rendered:
    """Content with its media type."""

    content: bytes
    media_type: str

    @cached_property
    def etag(self) -> str:
        """The ETag header: a hash of the content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'


def conditional_response(
    request: Request, rendered: Rendered, headers: Mapping[str, str] | None = None
) -> Response:
    """The content with its ETag; 304 without content if the client has this version."""
    headers = {"ETag": rendered.etag, "Vary": "Accept", **(headers or {})}
    if_none_match = request.headers.get("if-none-match", "")
    known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    if known & {rendered.etag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(rendered.content, media_type=rendered.media_type, headers=headers)


def document_response(request: Request, document: Document) -> Response:
    """A document as JSON, with an ETag as in `conditional_response`."""
    return conditional_response(request, Rendered(document.to_json().encode(), _JSON))


def render_front(front: Front, format: str) -> Rendered:
    """A front in a format of `FRONTS`."""
    media_type, write = FRONTS[format]
    return Rendered(write(front), media_type)


def render_comparison(comparison: Comparison, format: str) -> Rendered:
    """A comparison in a format of `COMPARISONS`."""
    media_type, write = COMPARISONS[format]
    return Rendered(write(comparison), media_type)


def front_csv(front: Front) -> bytes:
    """A front as CSV: one row for each point of the front document, in order of increasing rate."""
    params = list(dict.fromkeys(name for point in front.points for name in point.params))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["trial", "seed", *params, *_COLUMNS, "beta_low", "beta_high", *_GAP_COLUMNS])
    for p in front.points:
        values = [getattr(p, name) for name in _COLUMNS]
        low, high = p.beta_interval or (None, None)
        gap = p.hull_gap_interval
        values += [low, high, *((gap.low, gap.high) if gap else (None, None))]
        writer.writerow([p.trial, p.seed, *map(p.params.get, params), *values])
    return text.getvalue().encode()


def _front_image(front: Front, format: fronts.ImageFormat) -> bytes:
    with _matplotlib:
        return fronts.front_image(front, format)


def _comparison_image(comparison: Comparison, format: fronts.ImageFormat) -> bytes:
    with _matplotlib:
        return fronts.comparison_image(comparison, format)


_JSON, _HTML = "application/json", "text/html; charset=utf-8"
# matplotlib and plotly are imported at the first use of a function of `paretoib.fronts`.
FRONTS: Mapping[str, tuple[str, Callable[[Front], bytes]]] = {
    "json": (_JSON, lambda front: front.to_json().encode()),
    "csv": ("text/csv; charset=utf-8", front_csv),
    "html": (_HTML, lambda front: fronts.front_html(front).encode()),
    **{
        name: (media_type, partial(_front_image, format=name))
        for name, media_type in _MEDIA_TYPES.items()
    },
    "figure": (FIGURE, lambda front: fronts.front_figure(front).encode()),
    "parallel": (FIGURE, lambda front: fronts.parallel_figure(front).encode()),
}
COMPARISONS: Mapping[str, tuple[str, Callable[[Comparison], bytes]]] = {
    "json": (_JSON, lambda comparison: comparison.to_json().encode()),
    "html": (_HTML, lambda comparison: fronts.comparison_html(comparison).encode()),
    **{
        name: (media_type, partial(_comparison_image, format=name))
        for name, media_type in _MEDIA_TYPES.items()
    },
    "figure": (FIGURE, lambda comparison: fronts.comparison_figure(comparison).encode()),
}
