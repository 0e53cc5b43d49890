"""The static picture of parallel coordinates, by matplotlib."""

from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes

from paretoib.fronts import _drawing as d
from paretoib.fronts._parallel import COLOUR_LABEL, ParallelAxis, parallel_lines
from paretoib.fronts._picture import ImageFormat
from paretoib.fronts._static import add_no_points_text, new_figure, save_figure, style
from paretoib.records import Front


def parallel_image(front: Front, format: ImageFormat = "png") -> bytes:
    """The picture of `parallel_figure` as a PNG of 1600 × 1000 pixels, a PDF or an SVG."""
    with rc_context(style()):
        figure = new_figure()
        ax = figure.add_subplot()
        ax.set_axis_off()
        lines = parallel_lines(front.points)
        if lines is None:
            add_no_points_text(ax)
        else:
            for row, colour, point in zip(lines.lines, lines.colours, lines.points, strict=True):
                alpha = 0.9 if point.on_front else 0.25
                ax.plot(row, color=colormaps[d.COLOUR_MAP](colour), lw=1.2, alpha=alpha)
            for x, axis in enumerate(lines.axes):
                _axis(ax, x, axis)
            ax.set_xlim(-0.2, len(lines.axes) - 0.6)
        title = f"{front.sweep.name}: fields and measures of all trials"
        caption = f"{COLOUR_LABEL}; lines of dominated trials are faint"
        return save_figure(figure, title, caption, format)


def _axis(ax: Axes, x: int, axis: ParallelAxis) -> None:
    ax.plot([x, x], [0, 1], color=d.GREY, lw=1)
    for position, label in axis.ticks:
        ax.text(x + 0.03, position, label, fontsize=9, va="center")
    ax.text(x, -0.06, axis.label, ha="center", va="top", fontsize=10)
