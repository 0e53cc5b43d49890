"""Interactive pictures by plotly: self-contained HTML pages, and figures as JSON."""

import json
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from paretoib.fronts import _drawing as d
from paretoib.fronts._bands import BAND_COLOUR, Band, front_band, sides
from paretoib.fronts._hover import hover, short_keys
from paretoib.fronts._page import comparison_table, page
from paretoib.fronts._picture import RateAxis
from paretoib.records import Comparison, ExactCurve, Front, Outcome
from paretoib.specs import short_name

CONFIG = {
    "responsive": True,
    "displaylogo": False,
    "modeBarButtons": [["toImage", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
}
BAND_OPACITY = 0.18
BAR_COLOUR = "rgba(154, 160, 168, 0.3)"
"""Colour of the bars from a rate to its lower bound: `GREY` with opacity 0.3."""


def front_html(front: Front, *, axis: RateAxis | None = None, trials: bool = False) -> str:
    """An HTML page with a front, its hull and the dominated points; hover texts show parameters.

    If a setting has results of two seeds, a mark is the mean of a setting, and a band shows the
    fronts of single seeds; with `trials` every mark is a trial. By default the axis of rates is
    logarithmic if the rates span more than a factor of ten. Buttons on the page change it.
    """
    plane = d.plane_of(front, axis)
    title = f"{front.sweep.name}: {front.sweep.method} on {front.sweep.dataset}"
    lead = escape(d.front_caption(front, plane, trials=trials))
    return page(title, lead, _script(_front(front, plane, trials=trials)), log=plane.log)


def front_figure(front: Front, *, trials: bool = False) -> str:
    """The picture of `front_html` as plotly's JSON: data, layout, config.

    The `customdata` of a mark are the first `KEY_DIGITS` digits of the keys of its trials, with
    spaces between them.
    """
    plane = d.plane_of(front)
    return figure_json(_front(front, plane, trials=trials))


def comparison_html(
    comparison: Comparison, *, axis: RateAxis | None = None, trials: bool = False
) -> str:
    """An HTML page with the verdict, both fronts on one plane, and the table of indicators.

    Marks and bands are as in `front_html`.
    """
    plane = d.plane_of(comparison, axis)
    title = f"{comparison.left.label} and {comparison.right.label} on {comparison.dataset}"
    return page(
        title,
        escape(comparison.verdict),
        _script(_comparison(comparison, plane, trials=trials)),
        log=plane.log,
        below=comparison_table(comparison),
    )


def comparison_figure(comparison: Comparison, *, trials: bool = False) -> str:
    """The picture of `comparison_html` as plotly's JSON; see `front_figure`."""
    plane = d.plane_of(comparison)
    return figure_json(_comparison(comparison, plane, trials=trials))


def _front(front: Front, plane: d.Plane, *, trials: bool) -> go.Figure:
    shown = d.outcomes(front, trials=trials)
    figure = _canvas(plane, front.points)
    _band(figure, front_band(front, plane), BAND_COLOUR, "")
    _exact(figure, plane, front.exact)
    _curves(figure, plane, shown, d.DARK_GREY, "", steps=trials or not front.replicated)
    _intervals(figure, plane, shown)
    groups, scale = d.Groups.of(shown), d.colour_scale(shown)
    _points(figure, plane, groups.dominated, "dominated", _faint_marker(d.GREY))
    for points, label, symbol in _front_groups(groups):
        colour = {"color": d.LEFT_COLOUR} if scale is None else _marker_colours(scale, points)
        _points(figure, plane, points, d.FRONT_PREFIX + label, {"symbol": symbol, **colour})
    if scale is not None:
        figure.update_layout(coloraxis=_colour_axis(scale), margin_b=105)
    _add_bar_legend(figure, front.points)
    return figure


def _comparison(comparison: Comparison, plane: d.Plane, *, trials: bool) -> go.Figure:
    shown = d.outcomes(comparison, trials=trials)
    figure = _canvas(plane, comparison.points)
    _exact(figure, plane, comparison.exact)
    labels = {"left": comparison.left.label, "right": comparison.right.label}
    for side in sides(comparison, shown, plane):
        groups, prefix = d.Groups.of(side.points), f"{side.label}, "
        _band(figure, side.band, side.colour, prefix)
        _points(figure, plane, groups.dominated, None, _faint_marker(side.colour), labels)
        steps = trials or side.band is None
        _curves(figure, plane, side.points, side.colour, prefix, steps=steps)
        for group, name, symbol in _front_groups(groups):
            marker = {"symbol": symbol, "color": side.colour}
            _points(figure, plane, group, prefix + name, marker, labels)
    _intervals(figure, plane, shown)
    _add_bar_legend(figure, comparison.points)
    return figure


def _canvas(plane: d.Plane, points: Sequence[Outcome]) -> go.Figure:
    figure = go.Figure()
    line = {"gridcolor": "#E6E8EB", "zeroline": False, "linecolor": d.GREY, "ticks": "outside"}
    figure.update_xaxes(title=d.RATE_TITLE, type="log" if plane.log else "linear", **line)
    figure.update_yaxes(title=plane.lost_title, range=[plane.bottom, plane.top], **line)
    figure.update_layout(
        plot_bgcolor="white",
        paper_bgcolor="white",
        font={"family": "system-ui, sans-serif", "size": 13, "color": d.DARK_GREY},
        hoverlabel={"bgcolor": "white", "align": "left", "font": {"color": d.DARK_GREY}},
        legend={"orientation": "h", "y": 1.01, "yanchor": "bottom", "x": 0, "font": {"size": 12}},
        modebar={"orientation": "v"},
        margin={"l": 60, "r": 16, "t": 8, "b": 50},
    )
    if all(p.rate_bits is None for p in points):
        figure.add_annotation(text=d.NO_POINTS, showarrow=False, xref="paper", yref="paper")
    return figure


def _exact(figure: go.Figure, plane: d.Plane, exact: ExactCurve | None) -> None:
    if exact is not None:
        line = d.exact_line(exact, plane)
        _line(
            figure, line, escape(exact.label), {"color": d.EXACT_COLOUR, "dash": "dot", "width": 2}
        )


def _curves(
    figure: go.Figure,
    plane: d.Plane,
    points: Sequence[Outcome],
    colour: str,
    prefix: str,
    *,
    steps: bool,
) -> None:
    """Draw the hull and, if `steps` is set, the points of the front joined by steps."""
    if all(p.rate_bits is None for p in points):
        return
    _line(
        figure,
        d.hull(points, plane),
        f"{prefix}hull",
        {"color": colour, "dash": "dash", "width": 1.4},
    )
    if steps:
        style = {"color": colour, "width": 1, "shape": "hv"}
        _line(figure, d.staircase(points, plane), None, style, opacity=0.55)


def _band(figure: go.Figure, band: Band | None, colour: str, prefix: str) -> None:
    if band is None:
        return
    figure.add_scatter(
        x=band.outline.rate,
        y=band.outline.lost,
        mode="none",
        fill="toself",
        fillcolor=colour,
        opacity=BAND_OPACITY,
        name=escape(prefix + band.outline_label),
        hoverinfo="skip",
    )
    style = {"color": colour, "width": 1.4}
    _line(figure, band.median, prefix + band.median_label, style, opacity=0.8)


def _intervals(figure: go.Figure, plane: d.Plane, outcomes: Sequence[Outcome]) -> None:
    """Draw a thin cross along the intervals of rate and lost bits of each setting."""
    lines = [line for cross in d.intervals(outcomes, plane) for line in cross]
    if lines:
        # A missing value ends a line.
        rate = np.concatenate([[*line.rate, np.nan] for line in lines])
        lost = np.concatenate([[*line.lost, np.nan] for line in lines])
        style = {"color": d.DARK_GREY, "width": 1}
        _line(figure, d.Line(rate, lost), d.INTERVAL, style, opacity=0.7)


def _line(
    figure: go.Figure, line: d.Line, name: str | None, style: dict[str, Any], opacity: float = 1
) -> None:
    figure.add_scatter(
        x=line.rate,
        y=line.lost,
        mode="lines",
        line=style,
        opacity=opacity,
        name=name and escape(name),
        showlegend=name is not None,
        hoverinfo="skip",
    )


def _points(
    figure: go.Figure,
    plane: d.Plane,
    points: Sequence[Outcome],
    name: str | None,
    marker: dict[str, Any],
    labels: dict[str, str] | None = None,
) -> None:
    if not points:
        return
    rate = plane.rate(points)
    figure.add_scatter(
        x=rate,
        y=[p.lost_bits for p in points],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": np.zeros(len(points)),
            "arrayminus": rate - plane.lower(points),
            "color": BAR_COLOUR,
            "thickness": 3,
            "width": 0,
        },
        mode="markers",
        marker={"size": 10, "line": {"width": 1.6 if "open" in marker.get("symbol", "") else 0.8}}
        | marker,
        name=name and escape(name),
        showlegend=name is not None,
        text=[hover(p, plane, labels) for p in points],
        customdata=[short_keys(p) for p in points],
        hovertemplate="%{text}<extra></extra>",
    )


def _add_bar_legend(figure: go.Figure, points: Sequence[Outcome]) -> None:
    """Add the error bars to the legend, because plotly's legend omits error bars."""
    if any(p.rate_bits is not None for p in points):
        bar = {"color": BAR_COLOUR, "width": 3}
        figure.add_scatter(x=[None], y=[None], mode="lines", line=bar, name=d.LOWER_BOUND)


def _front_groups(groups: d.Groups) -> list[tuple[list[Outcome], str, str]]:
    """(points, label, symbol) of the points of the front."""
    return [
        (groups.supported, d.SUPPORTED, "circle"),
        (groups.unsupported, d.UNSUPPORTED, "circle-open"),
        (groups.gap_shown, d.GAP_SHOWN, "diamond-open"),
    ]


def _faint_marker(colour: str) -> dict[str, Any]:
    return {"color": colour, "size": 7, "opacity": 0.35}


def _marker_colours(scale: d.ColourScale, points: Sequence[Outcome]) -> dict[str, Any]:
    values = scale.of(points)
    return {"color": np.log10(values) if scale.log else values, "coloraxis": "coloraxis"}


def _colour_axis(scale: d.ColourScale) -> dict[str, Any]:
    low, high = np.log10([scale.low, scale.high]) if scale.log else (scale.low, scale.high)
    ticks = np.linspace(low, high, 4)
    if scale.log and high - low >= 3:
        decades = np.arange(np.ceil(low - 1e-9), np.floor(high + 1e-9) + 1)
        ticks = decades[:: -(-len(decades) // 4)]  # at most four, for narrow screens
    labels = [f"{tick:.2g}" for tick in (10**ticks if scale.log else ticks)]
    labels[0] = f"{short_name(scale.name)} = {labels[0]}"
    bar = {
        "tickvals": ticks,
        "ticktext": labels,
        "orientation": "h",
        "yref": "container",
        "y": 0,
        "yanchor": "bottom",
        "thickness": 10,
        "outlinewidth": 0,
    }
    return {"colorscale": d.COLOUR_MAP, "cmin": low, "cmax": high, "colorbar": bar}


def _script(figure: go.Figure) -> str:
    return figure.to_html(
        full_html=False,
        include_plotlyjs=True,
        div_id="plot",
        default_height="100%",
        config=CONFIG,
    )


def figure_json(figure: go.Figure) -> str:
    """A figure as plotly's JSON, with the configuration of its buttons."""
    return json.dumps({**json.loads(figure.to_json()), "config": CONFIG})
