"""The information plane along training: a path for each trial, a dot for each epoch.

As in Kirsch, Lyle, Gal: Unpacking Information Bottlenecks, figure 1, the line has the colour of the
trial's β and the dots that of the epoch; of binary layers whose information is known exactly, a
panel each, as in imb's figures 1 and 2.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from paretoib.fronts import _drawing as d
from paretoib.fronts._static import PLAIN, STYLE, log_rates, new_figure, say_nothing, to_png
from paretoib.records import Front, Point
from paretoib.specs import short_name

History = Mapping[str, Sequence[float | None]]

PATHS = 64  # trials drawn at most: more cannot be told apart
DOTS = 64  # epochs drawn at most, the first ones densest, where training moves fastest
FLOOR = 10.0**d.SMALLEST_DECADE  # stands for smaller rates, as there is no 0 on a logarithmic axis
_LAYER = re.compile(r"layer_(\d+)/rate_bits")


@dataclass(frozen=True)
class Path:
    """Where a trial was after each of some epochs (counted from 1); NaN where not finite."""

    point: Point
    epoch: np.ndarray
    rate: np.ndarray
    relevance: np.ndarray


def drawn(points: Sequence[Point]) -> list[Point]:
    """The points with a finite rate; of more than `PATHS` as many, evenly from first to last."""
    noisy = sorted((p for p in points if p.rate_bits is not None), key=lambda p: p.order)
    chosen = np.linspace(0, len(noisy) - 1, min(PATHS, len(noisy))).round().astype(int)
    return [noisy[i] for i in chosen]


def paths(histories: Sequence[tuple[Point, History]]) -> dict[int, list[Path]]:
    """The trials' paths by layer, the lowest first; under 0 alone, those of Z, if none is known."""
    layers = {int(m[1]) for _, h in histories for name in h if (m := _LAYER.fullmatch(name))}
    found: dict[int, list[Path]] = {}
    for layer in sorted(layers) or [0]:
        prefix = f"layer_{layer}/" if layer else ""
        rows = ("rate_bits", "relevance_bits")
        found[layer] = [
            _path(point, *(history[prefix + row] for row in rows))
            for point, history in histories
            if all(prefix + row in history for row in rows)
        ]
    return found


def _path(point: Point, rate: Sequence[float | None], relevance: Sequence[float | None]) -> Path:
    last = len(rate)
    epoch = np.unique(np.geomspace(1, last, min(last, DOTS)).round().astype(int))
    at = (np.array(row, dtype=float)[epoch - 1] for row in (rate, relevance))
    return Path(point, epoch, *at)


def plane_png(front: Front, history: Callable[[str], History]) -> bytes:
    """A PNG of 1600 × 1000 pixels; `history` gives an ended trial's by its key, in bits."""
    points = drawn(front.points)
    with rc_context(STYLE):
        panels = paths([(point, history(point.trial)) for point in points])
        every = [path for found in panels.values() for path in found]
        figure = new_figure()
        columns = -(-len(panels) // 2) if len(panels) > 2 else len(panels)
        axes = figure.subplots(
            -(-len(panels) // columns), columns, sharex=True, sharey=True, squeeze=False
        )
        for ax in axes.flat[len(panels) :]:
            ax.set_visible(False)
        scale = d.colour_scale([path.point for path in every])
        line = _shade(scale, _cut(colormaps["plasma"])) if scale else None
        last = max((int(path.epoch[-1]) for path in every), default=1)
        dot = ScalarMappable(LogNorm(1, max(last, 2)), colormaps[d.COLOURS])
        for ax, (layer, found) in zip(axes.flat, panels.items(), strict=False):
            _limits(ax, front, every)
            for path in found:
                colour = line.to_rgba(scale.of([path.point]))[0] if line and scale else d.FAINT
                rate = np.maximum(path.rate, FLOOR)
                ax.plot(rate, path.relevance, color=colour, lw=1.3, alpha=0.8)
                ax.scatter(rate, path.relevance, c=dot.to_rgba(path.epoch), s=14, lw=0, zorder=3)
            if layer:
                ax.set_title(f"layer {layer}", fontsize=11, fontweight="normal")
        for ax in axes[-1]:
            ax.set_xlabel(d.RATE_TITLE)
        for ax in axes[:, 0]:
            ax.set_ylabel("relevance I(Y;Z), bits")
        if every:
            _bar(figure, axes, dot, "epoch")
            if line and scale:
                _bar(figure, axes, line, short_name(scale.name))
        title = f"{front.sweep.name}: {front.sweep.method} on {front.sweep.dataset}, along training"
        if every:
            axes[0, 0].legend(loc="upper left")
        else:
            say_nothing(axes[0, 0])
        return to_png(figure, title, _caption(front, points, exact=0 not in panels))


def _limits(ax: Axes, front: Front, every: Sequence[Path]) -> None:
    """The axes, and what no code is above: the exact curve, or where it is not known I(X;Z)."""
    ceiling = front.label_entropy_bits
    ax.set_ylim(-0.02 * ceiling, 1.06 * ceiling)
    ax.grid(True)
    ax.set_axisbelow(True)
    rates = np.concatenate([path.rate for path in every]) if every else np.array([])
    rates = np.maximum(rates[np.isfinite(rates)], FLOOR)
    if not len(rates):
        return
    low, high = rates.min(), rates.max()
    if high > 10 * low:
        log_rates(ax)
        ax.set_xlim(0.8 * low, 1.25 * high)
    else:
        ax.set_xlim(0, 1.05 * high)
    rate = np.geomspace(1e-3 * low, 2 * high, 400)
    if front.exact is None:
        limit, label = np.minimum(rate, ceiling), "I(Y;Z) ≤ I(X;Z), H(Y)"
    else:
        lost = np.interp(rate, front.exact.rate_bits, front.exact.lost_bits)
        limit, label = ceiling - lost, front.exact.label
    ax.plot(rate, limit, color=d.EXACT, lw=1.6, ls=":", label=label)


def _shade(scale: d.ColourScale, colours: Colormap) -> ScalarMappable:
    return ScalarMappable((LogNorm if scale.log else Normalize)(scale.low, scale.high), colours)


def _cut(colours: Colormap) -> Colormap:
    """Without its lightest end, which is lost on white."""
    return ListedColormap(colours(np.linspace(0, 0.85, 256)))


def _bar(figure: Figure, axes: Any, shade: ScalarMappable, label: str) -> None:
    bar = figure.colorbar(shade, ax=axes, pad=0.02, aspect=35, format=PLAIN)
    bar.set_label(label)
    if isinstance(shade.norm, LogNorm):
        # Plain numbers, within a decade too.
        bar.ax.yaxis.set_minor_formatter(LogFormatter())
    bar.outline.set_visible(False)


def _caption(front: Front, points: Sequence[Point], *, exact: bool) -> str:
    noisy = sum(p.rate_bits is not None for p in front.points)
    how = (
        "exact information of each layer"
        if exact
        else "upper end of the rate, lower end of the relevance, on a part of the validation split"
    )
    return f"{len(points)} of {noisy} trials with a finite rate · {how}"
