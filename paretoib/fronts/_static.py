"""Static pictures: PNG, PDF and SVG files by matplotlib, without pyplot."""

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import Formatter, FuncFormatter

from paretoib.fronts import _drawing as d
from paretoib.fronts._bands import BAND_COLOUR, Band, front_band, sides
from paretoib.fronts._format import shorten
from paretoib.fronts._picture import ImageFormat, RateAxis
from paretoib.records import Comparison, ExactCurve, Front, FrontPlace, Outcome, Point
from paretoib.specs import short_name

_STYLE: dict[Any, Any] = {
    "font.size": 11,
    "text.color": d.DARK_GREY,
    "axes.labelcolor": d.DARK_GREY,
    "axes.edgecolor": d.GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titleweight": "bold",
    "xtick.color": d.DARK_GREY,
    "ytick.color": d.DARK_GREY,
    "grid.color": "#E6E8EB",
    "legend.frameon": False,
    # A dollar sign in the name of a sweep does not begin a formula.
    "text.parse_math": False,
    # Journals ask for fonts that are embedded as TrueType.
    "pdf.fonttype": 42,
    # Equal pictures have equal bytes.
    "svg.hashsalt": "paretoib",
}

# Without a date, equal pictures have equal bytes.
_METADATA: dict[ImageFormat, Any] = {
    "png": None,
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
}

LEGEND_WIDTH = 150  # characters per line

# Fonts for characters that matplotlib's own font lacks, in order of preference.
_FALLBACK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Noto Emoji",
    "Arial Unicode MS",
)
_ZERO_WIDTH_SPACE = "\u200b"

PLAIN_NUMBERS = FuncFormatter(lambda value, _: f"{value:g}")


class MinorLogLabels(Formatter):
    """Labels of the minor ticks of a logarithmic axis: as many as fit.

    matplotlib's own formatter looks at the range only, so labels overlap on narrow axes.
    """

    # The leading digits that get a label if a decade is at least this many times as long as a
    # label.
    _DIGITS = ((22, range(2, 10)), (10, (2, 3, 5, 7)), (5, (2, 5)))

    def __call__(self, value: float, _: int | None = None) -> str:
        digit = round(value / 10 ** np.floor(np.log10(value)))
        room = self._room()
        digits = next((digits for least, digits in self._DIGITS if room >= least), ())
        return f"{value:g}" if digit in digits else ""

    def _room(self) -> float:
        """The length of a decade on the axis, in labels of three characters or of one line."""
        axis: Any = self.axis
        horizontal = axis.axis_name == "x"
        length = axis.axes.bbox.width if horizontal else axis.axes.bbox.height
        low, high = sorted(axis.get_view_interval())
        font = _STYLE["font.size"] * axis.axes.figure.dpi / 72
        label = font * (2.5 if horizontal else 1.2)
        return float(length / np.log10(high / low) / label)


def front_image(
    front: Front,
    format: ImageFormat = "png",
    *,
    axis: RateAxis | None = None,
    trials: bool = False,
    measured: FrontPlace | None = None,
) -> bytes:
    """The picture of `front_html` as a PNG of 1600 × 1000 pixels, a PDF or an SVG.

    A star shows the point of another encoder, `measured`.
    """
    with rc_context(style()):
        star = [_measured_point(measured)] if measured else []
        plane = d.plane_of(front.model_copy(update={"points": (*front.points, *star)}), axis)
        shown = d.outcomes(front, trials=trials)
        figure, ax = _canvas(plane)
        _band(ax, front_band(front, plane), BAND_COLOUR, "")
        _exact(ax, plane, front.exact)
        _curves(ax, plane, shown, d.DARK_GREY, "", steps=trials or not front.replicated)
        _intervals(ax, plane, shown)
        groups, scale = d.Groups.of(shown), d.colour_scale(shown)
        _dominated(ax, plane, groups, d.GREY, "dominated")
        if scale is None:
            colour = d.LEFT_COLOUR
            _on_front(ax, plane, groups, colour, d.FRONT_PREFIX, legend_colour=colour)
        else:
            norm = (LogNorm if scale.log else Normalize)(scale.low, scale.high)
            colours = ScalarMappable(norm, colormaps[d.COLOUR_MAP])
            add_colour_bar(figure, ax, colours, short_name(scale.name))
            _on_front(
                ax,
                plane,
                groups,
                lambda points: colours.to_rgba(scale.of(points)),
                d.FRONT_PREFIX,
                legend_colour=d.DARK_GREY,
            )
        _star(ax, plane, star)
        title = f"{front.sweep.name}: {front.sweep.method} on {front.sweep.dataset}"
        caption = d.front_caption(front, plane, trials=trials)
        return _with_legend(figure, ax, front.points, title, caption, format)


def comparison_image(
    comparison: Comparison,
    format: ImageFormat = "png",
    *,
    axis: RateAxis | None = None,
    trials: bool = False,
) -> bytes:
    """The picture of `comparison_html` as a PNG of 1600 × 1000 pixels, a PDF or an SVG."""
    with rc_context(style()):
        plane = d.plane_of(comparison, axis)
        shown = d.outcomes(comparison, trials=trials)
        figure, ax = _canvas(plane)
        _exact(ax, plane, comparison.exact)
        for side in sides(comparison, shown, plane):
            groups, prefix = d.Groups.of(side.points), f"{side.label}, "
            _band(ax, side.band, side.colour, prefix)
            _dominated(ax, plane, groups, side.colour, None)
            steps = trials or side.band is None
            _curves(ax, plane, side.points, side.colour, prefix, steps=steps)
            _on_front(ax, plane, groups, side.colour, prefix, legend_colour=side.colour)
        _intervals(ax, plane, shown)
        title = f"{comparison.left.label} and {comparison.right.label} on {comparison.dataset}"
        return _with_legend(figure, ax, comparison.points, title, comparison.verdict, format)


def legend_label(text: str) -> str:
    """A label that the legend shows; matplotlib hides labels that begin with `_`."""
    return _ZERO_WIDTH_SPACE + text if text.startswith("_") else text


def style() -> dict[Any, Any]:
    """matplotlib's settings for our pictures, with the fallback fonts of this machine."""
    return {**_STYLE, "font.family": ["DejaVu Sans", *_installed_fallbacks()]}


@cache
def _installed_fallbacks() -> tuple[str, ...]:
    installed = {font.name for font in fontManager.ttflist}
    return tuple(name for name in _FALLBACK_FONTS if name in installed)


def new_figure() -> Figure:
    """An empty figure of 10 × 6.25 inches: 1600 × 1000 pixels."""
    return Figure(figsize=(10, 6.25), dpi=160, layout="constrained")


def set_log_rates(ax: Axes) -> None:
    """Make the axis of rates logarithmic, with plain numbers."""
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(PLAIN_NUMBERS)
    ax.xaxis.set_minor_formatter(MinorLogLabels())


def add_colour_bar(figure: Figure, axes: Any, colours: ScalarMappable, label: str) -> None:
    """Add a colour bar with plain numbers beside the axes."""
    bar = figure.colorbar(colours, ax=axes, pad=0.02, aspect=35, format=PLAIN_NUMBERS)
    bar.set_label(label)
    if isinstance(colours.norm, LogNorm):
        # Minor ticks get numbers too, because a scale may lie within one decade.
        bar.ax.yaxis.set_minor_formatter(MinorLogLabels())
    bar.outline.set_visible(False)


def _canvas(plane: d.Plane) -> tuple[Figure, Axes]:
    figure = new_figure()
    ax = figure.add_subplot()
    ax.set_xlabel(d.RATE_TITLE)
    ax.set_ylabel(plane.lost_title)
    ax.set_ylim(plane.bottom, plane.top)
    if plane.log:
        set_log_rates(ax)
    ax.grid(True)
    ax.set_axisbelow(True)
    return figure, ax


def _with_legend(
    figure: Figure,
    ax: Axes,
    points: Sequence[Outcome],
    title: str,
    caption: str,
    format: ImageFormat,
) -> bytes:
    """The figure as a file, with a legend above the axes."""
    if all(p.rate_bits is None for p in points):
        add_no_points_text(ax)
    else:
        ax.hlines([], [], [], color=d.GREY, alpha=0.35, lw=2, label=d.LOWER_BOUND)
    if names := ax.get_legend_handles_labels()[1]:
        # The legend stands above the axes, where it hides no point.
        columns = max(1, min(4, LEGEND_WIDTH // (max(map(len, names)) + 8)))
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, fontsize=9)
    return save_figure(figure, title, caption, format)


def add_no_points_text(ax: Axes) -> None:
    """Write `NO_POINTS` into axes without points."""
    ax.text(0.5, 0.5, d.NO_POINTS, transform=ax.transAxes, ha="center", color=d.GREY)


def save_figure(figure: Figure, title: str, caption: str, format: ImageFormat) -> bytes:
    """The figure as a file of this format, with a title above it and a caption below."""
    figure.suptitle(shorten(title, 100), x=0.01, ha="left", fontsize="large", fontweight="bold")
    figure.supxlabel(fill(caption, 130), fontsize=9, x=0.01, ha="left", color="#5A6069")
    target = BytesIO()
    with warnings.catch_warnings():
        # matplotlib draws a box for a character that no installed font has.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(target, format=format, metadata=_METADATA[format])
    return target.getvalue()


def _exact(ax: Axes, plane: d.Plane, exact: ExactCurve | None) -> None:
    if exact is not None:
        line = d.exact_line(exact, plane)
        ax.plot(
            line.rate,
            line.lost,
            color=d.EXACT_COLOUR,
            lw=1.6,
            ls=":",
            label=legend_label(exact.label),
        )


def _band(ax: Axes, band: Band | None, colour: str, prefix: str) -> None:
    if band is None:
        return
    label = legend_label(prefix + band.outline_label)
    ax.fill(band.outline.rate, band.outline.lost, color=colour, alpha=0.15, lw=0, label=label)
    label = legend_label(prefix + band.median_label)
    ax.plot(band.median.rate, band.median.lost, color=colour, lw=1.2, alpha=0.8, label=label)


def _intervals(ax: Axes, plane: d.Plane, outcomes: Sequence[Outcome]) -> None:
    """Draw a thin cross along the intervals of rate and lost bits of each setting."""
    style: dict[str, Any] = {"color": d.DARK_GREY, "lw": 0.8, "alpha": 0.7}
    for along_rate, along_lost in d.intervals(outcomes, plane):
        for line in (along_rate, along_lost):
            ax.plot(line.rate, line.lost, **style)
    if d.intervals(outcomes, plane):
        ax.plot([], [], label=d.INTERVAL, **style)


def _curves(
    ax: Axes,
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
    hull, staircase = d.hull(points, plane), d.staircase(points, plane)
    ax.plot(
        hull.rate, hull.lost, color=colour, lw=1.2, ls="--", label=legend_label(f"{prefix}hull")
    )
    if steps:
        style: dict[str, Any] = {"lw": 1, "alpha": 0.55, "drawstyle": "steps-post"}
        ax.plot(staircase.rate, staircase.lost, color=colour, **style)


def _dominated(ax: Axes, plane: d.Plane, groups: d.Groups, colour: str, label: str | None) -> None:
    _bars(ax, plane, groups.dominated)
    rate, lost = plane.rate(groups.dominated), [p.lost_bits for p in groups.dominated]
    ax.scatter(rate, lost, s=26, color=colour, alpha=0.35, lw=0, label=label if len(lost) else None)


def _on_front(
    ax: Axes,
    plane: d.Plane,
    groups: d.Groups,
    colour: str | Callable[[Sequence[Outcome]], np.ndarray],
    prefix: str,
    *,
    legend_colour: str,
) -> None:
    """Draw the points of the front in one colour, or in the colours that `colour` returns.

    The legend shows each shape once, in `legend_colour`.
    """
    for points, label, marker, filled in (
        (groups.supported, d.SUPPORTED, "o", True),
        (groups.unsupported, d.UNSUPPORTED, "o", False),
        (groups.gap_shown, d.GAP_SHOWN, "D", False),
    ):
        if points:
            _bars(ax, plane, points)
            lost = [p.lost_bits for p in points]
            size: dict[str, Any] = {"s": 55, "lw": 1.4, "zorder": 3, "marker": marker}
            drawn = colour(points) if callable(colour) else colour
            ax.scatter(plane.rate(points), lost, **size, **_filling(drawn, filled))
            label = legend_label(prefix + label)
            ax.scatter([], [], label=label, **size, **_filling(legend_colour, filled))


def _measured_point(measured: FrontPlace) -> Point:
    """The measured point, as a point that no trial has."""
    return Point(
        trial="",
        params={},
        seed=0,
        rate_bits=measured.rate_bits,
        rate_lower_bits=measured.rate_lower_bits,
        relevance_bits=0.0,
        lost_bits=measured.lost_bits,
        accuracy=None,
    )


def _star(ax: Axes, plane: d.Plane, star: Sequence[Point]) -> None:
    if star:
        _bars(ax, plane, star)
        lost = [p.lost_bits for p in star]
        size: dict[str, Any] = {"marker": "*", "s": 220, "zorder": 4, "label": "measured encoder"}
        ax.scatter(plane.rate(star), lost, color=d.RIGHT_COLOUR, edgecolors="white", **size)


def _filling(colour: Any, filled: bool) -> dict[str, Any]:
    face, edge = (colour, "white") if filled else ("white", colour)
    return {"facecolors": face, "edgecolors": edge}


def _bars(ax: Axes, plane: d.Plane, points: Sequence[Outcome]) -> None:
    """Draw a horizontal bar from each rate to its lower bound."""
    lost = [p.lost_bits for p in points]
    ax.hlines(lost, plane.lower(points), plane.rate(points), color=d.GREY, alpha=0.35, lw=2)
