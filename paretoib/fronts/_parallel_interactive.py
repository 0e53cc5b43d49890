"""The interactive picture of parallel coordinates, by plotly.

Plotly's own trace `parcoords` is not used, because it needs `unsafe-eval`, which the service's
content security policy forbids.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from paretoib.fronts import _drawing as d
from paretoib.fronts._hover import KEY_DIGITS
from paretoib.fronts._interactive import figure_json
from paretoib.fronts._parallel import COLOUR_LABEL, ParallelAxis, ParallelLines, parallel_lines
from paretoib.records import Front, Point

_BANDS = 10  # colours of lines: one trace for each, because a trace has one colour


def parallel_figure(front: Front) -> str:
    """The parallel coordinates of a front's trials as plotly's JSON: data, layout, config.

    Lines of the front are opaque, lines of dominated trials faint. The `customdata` of a marker is
    the first `KEY_DIGITS` digits of its trial's key.
    """
    figure = go.Figure()
    figure.update_layout(
        plot_bgcolor="white",
        paper_bgcolor="white",
        font={"family": "system-ui, sans-serif", "size": 12, "color": d.DARK_GREY},
        hoverlabel={"bgcolor": "white", "align": "left", "font": {"color": d.DARK_GREY}},
        showlegend=False,
        modebar={"orientation": "v"},
        margin={"l": 30, "r": 30, "t": 12, "b": 40},
    )
    figure.update_yaxes(visible=False, range=[-0.06, 1.06], fixedrange=True)
    figure.update_xaxes(visible=False)
    lines = parallel_lines(front.points)
    if lines is None:
        figure.add_annotation(text=d.NO_POINTS, showarrow=False, xref="paper", yref="paper")
    else:
        _draw(figure, lines)
    return figure_json(figure)


def _draw(figure: go.Figure, lines: ParallelLines) -> None:
    axes, positions = lines.axes, lines.lines
    band = np.minimum((lines.colours * _BANDS).astype(int), _BANDS - 1)
    on_front = np.array([point.on_front for point in lines.points])
    middles = (np.arange(_BANDS) + 0.5) / _BANDS
    colours = sample_colorscale(d.COLOUR_MAP, list(middles))
    for shown, opacity in ((~on_front, 0.25), (on_front, 0.9)):
        for i, colour in enumerate(colours):
            rows = positions[shown & (band == i)]
            if len(rows):
                _lines(figure, rows, {"color": colour, "width": 1.4}, opacity)
    _markers(figure, positions, lines.points)
    figure.update_xaxes(
        visible=True,
        showgrid=False,
        zeroline=False,
        fixedrange=True,
        tickvals=list(range(len(axes))),
        ticktext=[axis.label for axis in axes],
        range=[-0.25, len(axes) - 0.6],
    )
    for x, axis in enumerate(axes):
        _axis(figure, x, axis)
    figure.add_annotation(
        text=COLOUR_LABEL, showarrow=False, xref="paper", yref="paper", x=1, y=-0.12
    )


def _lines(figure: go.Figure, rows: np.ndarray, line: dict[str, Any], opacity: float) -> None:
    """One trace with a broken line for each row."""
    x = np.tile([*range(rows.shape[1]), np.nan], len(rows))
    y = np.concatenate([rows, np.full((len(rows), 1), np.nan)], axis=1).ravel()
    figure.add_scatter(x=x, y=y, mode="lines", line=line, opacity=opacity, hoverinfo="skip")


def _markers(figure: go.Figure, rows: np.ndarray, points: Sequence[Point]) -> None:
    """Small markers where lines meet axes; they name the trial and take clicks."""
    count = rows.shape[1]
    figure.add_scatter(
        x=np.tile(np.arange(count), len(rows)),
        y=rows.ravel(),
        mode="markers",
        marker={"size": 6, "color": d.GREY, "opacity": 0.35},
        customdata=[key for p in points for key in [p.trial[:KEY_DIGITS]] * count],
        hovertemplate="trial %{customdata}<extra></extra>",
    )


def _axis(figure: go.Figure, x: int, axis: ParallelAxis) -> None:
    figure.add_shape(
        type="line", x0=x, x1=x, y0=0, y1=1, line={"color": d.GREY, "width": 1}, layer="below"
    )
    for position, text in axis.ticks:
        figure.add_annotation(
            x=x, y=position, text=text, showarrow=False, xanchor="left", xshift=4, font={"size": 11}
        )
