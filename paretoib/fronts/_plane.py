"""The information plane during training: a path for each trial, with dots for epochs.

The colour of a path shows a hyperparameter that varies, such as β. The colour of a dot shows the
epoch, as in figure 1 of uib (Kirsch, Lyle and Gal, "Unpacking Information Bottlenecks"). If the
information of binary layers is known exactly, each layer has a panel, as in figures 1 and 2 of imb.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize

from paretoib.fronts import _drawing as d
from paretoib.fronts._picture import ImageFormat, RateAxis
from paretoib.fronts._static import (
    add_colour_bar,
    add_no_points_text,
    legend_label,
    new_figure,
    save_figure,
    set_log_rates,
    style,
)
from paretoib.records import Front, Point
from paretoib.specs import short_name

History = Mapping[str, Sequence[float | None]]

MAX_PATHS = 64  # more paths cannot be distinguished
MAX_DOTS = 64  # per path; epochs are log-spaced, because a trial moves fastest in early epochs
MIN_RATE = 10.0**d.SMALLEST_DECADE  # smaller rates are drawn here; a log axis has no 0
_LAYER = re.compile(r"layer_(\d+)/rate_bits")


@dataclass(frozen=True)
class Path:
    """A trial's rate and relevance in bits at some epochs (counted from 1); NaN if not finite."""

    point: Point
    epoch: np.ndarray
    rate: np.ndarray
    relevance: np.ndarray


def select_points(points: Sequence[Point]) -> list[Point]:
    """Up to `MAX_PATHS` points with a finite rate, evenly spaced in the order of `Point.order`."""
    finite = sorted((p for p in points if p.rate_bits is not None), key=lambda p: p.order)
    chosen = np.linspace(0, len(finite) - 1, min(MAX_PATHS, len(finite))).round().astype(int)
    return [finite[i] for i in chosen]


def paths(histories: Sequence[tuple[Point, History]]) -> dict[int, list[Path]]:
    """The paths of the trials by layer, lowest layer first.

    If no history has the rate of single layers, the only key is 0, with the paths of Z.
    """
    layers = {int(m[1]) for _, h in histories for name in h if (m := _LAYER.fullmatch(name))}
    by_layer: dict[int, list[Path]] = {}
    for layer in sorted(layers) or [0]:
        prefix = f"layer_{layer}/" if layer else ""
        names = ("rate_bits", "relevance_bits")
        by_layer[layer] = [
            _path(point, *(history[prefix + name] for name in names))
            for point, history in histories
            if all(prefix + name in history for name in names)
        ]
    return by_layer


def _path(point: Point, rate: Sequence[float | None], relevance: Sequence[float | None]) -> Path:
    last = len(rate)
    epoch = np.unique(np.geomspace(1, last, min(last, MAX_DOTS)).round().astype(int))
    values = (np.array(row, dtype=float)[epoch - 1] for row in (rate, relevance))
    return Path(point, epoch, *values)


def plane_image(
    front: Front,
    history: Callable[[str], History],
    format: ImageFormat = "png",
    *,
    axis: RateAxis | None = None,
) -> bytes:
    """The information plane of a sweep's trials: a PNG of 1600 × 1000 pixels, a PDF or an SVG.

    By default the axis of rates is logarithmic if the rates span more than a factor of ten.
    `history` takes the key of an ended trial and returns the trial's history.
    """
    points = select_points(front.points)
    with rc_context(style()):
        panels = paths([(point, history(point.trial)) for point in points])
        all_paths = [path for layer_paths in panels.values() for path in layer_paths]
        figure = new_figure()
        columns = -(-len(panels) // 2) if len(panels) > 2 else len(panels)
        axes = figure.subplots(
            -(-len(panels) // columns), columns, sharex=True, sharey=True, squeeze=False
        )
        for ax in axes.flat[len(panels) :]:
            ax.set_visible(False)
        for ax in axes.flat[max(0, len(panels) - columns) : len(panels)]:
            # The lowest panel of a column; the panel below it may be missing.
            ax.tick_params(labelbottom=True)
            ax.set_xlabel(d.RATE_TITLE)
        scale = d.colour_scale([path.point for path in all_paths])
        path_colours = (
            _colour_map(scale, _without_light_end(colormaps["plasma"])) if scale else None
        )
        last = max((int(path.epoch[-1]) for path in all_paths), default=1)
        dot_colours = ScalarMappable(LogNorm(1, max(last, 2)), colormaps[d.COLOUR_MAP])
        for ax, (layer, layer_paths) in zip(axes.flat, panels.items(), strict=False):
            _draw_axes(ax, front, all_paths, axis)
            for path in layer_paths:
                colour = (
                    path_colours.to_rgba(scale.of([path.point]))[0]
                    if path_colours and scale
                    else d.GREY
                )
                rate = np.maximum(path.rate, MIN_RATE)
                ax.plot(rate, path.relevance, color=colour, lw=1.3, alpha=0.8)
                ax.scatter(
                    rate, path.relevance, c=dot_colours.to_rgba(path.epoch), s=14, lw=0, zorder=3
                )
            if layer:
                ax.set_title(f"layer {layer}", fontsize=11, fontweight="normal")
        for ax in axes[:, 0]:
            ax.set_ylabel("relevance I(Y;Z), bits")
        if all_paths:
            add_colour_bar(figure, axes, dot_colours, "epoch")
            if path_colours and scale:
                add_colour_bar(figure, axes, path_colours, short_name(scale.name))
            # The legend stands outside the axes, where it hides no path.
            handles, names = axes[0, 0].get_legend_handles_labels()
            figure.legend(handles, names, loc="outside upper right")
        else:
            add_no_points_text(axes[0, 0])
        sweep = front.sweep
        title = f"{sweep.name}: {sweep.method} on {sweep.dataset}, during training"
        caption = _caption(front, points, exact=0 not in panels)
        return save_figure(figure, title, caption, format)


def _draw_axes(ax: Axes, front: Front, all_paths: Sequence[Path], axis: RateAxis | None) -> None:
    """Set the axes and draw the upper limit of the relevance.

    The limit is the exact curve, or min(I(X;Z), H(Y)) if the exact curve is not known.
    """
    ceiling = front.label_entropy_bits
    ax.set_ylim(-0.02 * ceiling, 1.06 * ceiling)
    ax.grid(True)
    ax.set_axisbelow(True)
    rates = np.concatenate([path.rate for path in all_paths]) if all_paths else np.array([])
    rates = np.maximum(rates[np.isfinite(rates)], MIN_RATE)
    if not len(rates):
        return
    low, high = rates.min(), rates.max()
    if axis == "log" or (axis is None and high > 10 * low):
        set_log_rates(ax)
        ax.set_xlim(0.8 * low, 1.25 * high)
    else:
        ax.set_xlim(0, 1.05 * high)
    rate = np.geomspace(1e-3 * low, 2 * high, 400)
    if front.exact is None:
        limit, label = np.minimum(rate, ceiling), "I(Y;Z) ≤ min(I(X;Z), H(Y))"
    else:
        lost = np.interp(rate, front.exact.rate_bits, front.exact.lost_bits)
        limit, label = ceiling - lost, front.exact.label
    ax.plot(rate, limit, color=d.EXACT_COLOUR, lw=1.6, ls=":", label=legend_label(label))


def _colour_map(scale: d.ColourScale, colours: Colormap) -> ScalarMappable:
    return ScalarMappable((LogNorm if scale.log else Normalize)(scale.low, scale.high), colours)


def _without_light_end(colours: Colormap) -> Colormap:
    """The colour map without its lightest colours, which are invisible on white."""
    return ListedColormap(colours(np.linspace(0, 0.85, 256)))


def _caption(front: Front, points: Sequence[Point], *, exact: bool) -> str:
    finite = sum(p.rate_bits is not None for p in front.points)
    method = (
        "exact information of each layer"
        if exact
        else "upper bound on the rate, lower bound on the relevance; part of the validation split"
    )
    return f"{len(points)} of {finite} trials with a finite rate · {method}"
