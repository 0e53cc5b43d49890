"""Fronts and comparisons as what is sent: documents, tables, pictures."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

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


def _front_page(front: Front) -> bytes:
    from paretoib.fronts import front_html

    return front_html(front).encode()


def _front_picture(front: Front) -> bytes:
    from paretoib.fronts import front_png

    with _drawing:
        return front_png(front)


def _comparison_page(comparison: Comparison) -> bytes:
    from paretoib.fronts import comparison_html

    return comparison_html(comparison).encode()


def _comparison_picture(comparison: Comparison) -> bytes:
    from paretoib.fronts import comparison_png

    with _drawing:
        return comparison_png(comparison)


def _figure(page: bytes) -> bytes:
    """The figure of an interactive page, as plotly's JSON; each mark knows its trial's key.

    The key is the first twelve digits, as the page's hover text shows them.
    """
    text = page.decode()
    rest = text[text.index("Plotly.newPlot(") + len("Plotly.newPlot(") :]
    parts: list[Any] = []
    for _ in ("element", "data", "layout", "config"):
        rest = rest.lstrip(" \n,")
        part, end = json.JSONDecoder().raw_decode(rest)
        parts.append(part)
        rest = rest[end:]
    _, data, layout, config = parts
    for trace in data:
        if shown := trace.get("text"):
            trace["customdata"] = [re.findall(r"trial ([0-9a-f]{12})", text)[0] for text in shown]
    return json.dumps({"data": data, "layout": layout, "config": config}).encode()


FRONTS: Mapping[str, tuple[str, Callable[[Front], bytes]]] = {
    "json": ("application/json", lambda front: front.to_json().encode()),
    "csv": ("text/csv; charset=utf-8", front_csv),
    "html": ("text/html; charset=utf-8", _front_page),
    "png": ("image/png", _front_picture),
    "figure": (FIGURE, lambda front: _figure(_front_page(front))),
}
COMPARISONS: Mapping[str, tuple[str, Callable[[Comparison], bytes]]] = {
    "json": ("application/json", lambda comparison: comparison.to_json().encode()),
    "html": ("text/html; charset=utf-8", _comparison_page),
    "png": ("image/png", _comparison_picture),
    "figure": (FIGURE, lambda comparison: _figure(_comparison_page(comparison))),
}
