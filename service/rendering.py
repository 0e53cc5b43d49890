"""Renders fronts and comparisons as documents and pictures, and sends them with an ETag."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from threading import Lock
from typing import Protocol

from fastapi import Request
from starlette.responses import Response

from paretoib import fronts
from paretoib.documents import Document
from paretoib.records import Comparison, Front

# The media type that Jupyter uses for a plotly figure.
FIGURE = "application/vnd.plotly.v1+json"
_MEDIA_TYPES: Mapping[fronts.ImageFormat, str] = {
    "png": "image/png",
    "pdf": "application/pdf",
    "svg": "image/svg+xml",
}
TABLES: Mapping[fronts.TableFormat, str] = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
# The media types of images and tables, for the OpenAPI description.
IMAGES: Mapping[str, dict[str, object]] = {name: {} for name in _MEDIA_TYPES.values()}
TABLE_CONTENT: Mapping[str, dict[str, object]] = {
    name.partition(";")[0]: {} for name in TABLES.values()
}
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


def render_front(front: Front, format: str, *, trials: bool) -> Rendered:
    """A front in a format of `FRONTS`; with `trials`, tables and pictures have single trials."""
    media_type, write = FRONTS[format]
    return Rendered(write(front, trials=trials), media_type)


def render_comparison(comparison: Comparison, format: str, *, trials: bool) -> Rendered:
    """A comparison in a format of `COMPARISONS`; `trials` is as for `render_front`."""
    media_type, write = COMPARISONS[format]
    return Rendered(write(comparison, trials=trials), media_type)


class WriteFront(Protocol):
    """Writes a front in one format."""

    def __call__(self, front: Front, /, *, trials: bool) -> bytes: ...


class WriteComparison(Protocol):
    """Writes a comparison in one format."""

    def __call__(self, comparison: Comparison, /, *, trials: bool) -> bytes: ...


def _document(document: Document, *, trials: bool) -> bytes:  # noqa: ARG001
    """JSON, which always has both settings and trials."""
    return document.to_json().encode()


def _front_image(front: Front, format: fronts.ImageFormat, *, trials: bool) -> bytes:
    with _matplotlib:
        return fronts.front_image(front, format, trials=trials)


def _comparison_image(comparison: Comparison, format: fronts.ImageFormat, *, trials: bool) -> bytes:
    with _matplotlib:
        return fronts.comparison_image(comparison, format, trials=trials)


_JSON, _HTML = "application/json", "text/html; charset=utf-8"
# matplotlib and plotly are imported at the first use of a function of `paretoib.fronts`.
FRONTS: Mapping[str, tuple[str, WriteFront]] = {
    "json": (_JSON, _document),
    **{
        name: (media_type, partial(fronts.table_file, format=name))
        for name, media_type in TABLES.items()
    },
    "html": (_HTML, lambda front, *, trials: fronts.front_html(front, trials=trials).encode()),
    **{
        name: (media_type, partial(_front_image, format=name))
        for name, media_type in _MEDIA_TYPES.items()
    },
    "figure": (
        FIGURE,
        lambda front, *, trials: fronts.front_figure(front, trials=trials).encode(),
    ),
    "parallel": (FIGURE, lambda front, *, trials: fronts.parallel_figure(front).encode()),  # noqa: ARG005
}
COMPARISONS: Mapping[str, tuple[str, WriteComparison]] = {
    "json": (_JSON, _document),
    **{
        name: (media_type, partial(fronts.table_file, format=name))
        for name, media_type in TABLES.items()
    },
    "html": (
        _HTML,
        lambda comparison, *, trials: fronts.comparison_html(comparison, trials=trials).encode(),
    ),
    **{
        name: (media_type, partial(_comparison_image, format=name))
        for name, media_type in _MEDIA_TYPES.items()
    },
    "figure": (
        FIGURE,
        lambda comparison, *, trials: fronts.comparison_figure(comparison, trials=trials).encode(),
    ),
}
