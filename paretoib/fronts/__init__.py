"""Fronts: dominance, indicators, hull, comparison and pictures.

Plotting libraries are imported lazily, with the first picture.
"""

import logging
from typing import TYPE_CHECKING

from paretoib.fronts._best import validation_order
from paretoib.fronts._comparison import compare
from paretoib.fronts._conditions import filtered
from paretoib.fronts._curve import GrowingFront
from paretoib.fronts._dominance import (
    coverage,
    dominated_by,
    dominated_depth,
    dominated_layers,
    nondominated,
)
from paretoib.fronts._exact import exact_curve
from paretoib.fronts._format import format_gaps, format_number, format_param
from paretoib.fronts._front import build_front
from paretoib.fronts._hull import Reachability, reachability
from paretoib.fronts._indicators import (
    attainment,
    attainment_difference,
    attainment_surface,
    epsilon_additive,
    hypervolume,
    igd_plus,
)
from paretoib.fronts._pick import pick
from paretoib.fronts._picture import ImageFormat, RateAxis
from paretoib.fronts._place import place
from paretoib.fronts._table import ComparisonRow, comparison_rows, comparison_statistics
from paretoib.fronts._table_file import TableFormat, table_file
from paretoib.lazy import lazy_names

if TYPE_CHECKING:
    from paretoib.fronts._interactive import (
        comparison_figure,
        comparison_html,
        front_figure,
        front_html,
    )
    from paretoib.fronts._parallel_interactive import parallel_figure
    from paretoib.fronts._parallel_static import parallel_image
    from paretoib.fronts._plane import plane_image
    from paretoib.fronts._static import comparison_image, front_image

# Hide matplotlib's messages about its font search, which it logs on import.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

__all__ = [
    "ComparisonRow",
    "GrowingFront",
    "ImageFormat",
    "RateAxis",
    "Reachability",
    "TableFormat",
    "attainment",
    "attainment_difference",
    "attainment_surface",
    "build_front",
    "compare",
    "comparison_figure",
    "comparison_html",
    "comparison_image",
    "comparison_rows",
    "comparison_statistics",
    "coverage",
    "dominated_by",
    "dominated_depth",
    "dominated_layers",
    "epsilon_additive",
    "exact_curve",
    "filtered",
    "format_gaps",
    "format_number",
    "format_param",
    "front_figure",
    "front_html",
    "front_image",
    "hypervolume",
    "igd_plus",
    "nondominated",
    "parallel_figure",
    "parallel_image",
    "pick",
    "place",
    "plane_image",
    "reachability",
    "table_file",
    "validation_order",
]

__getattr__ = lazy_names(
    __name__,
    {
        "comparison_figure": "_interactive",
        "comparison_html": "_interactive",
        "front_figure": "_interactive",
        "front_html": "_interactive",
        "comparison_image": "_static",
        "front_image": "_static",
        "parallel_figure": "_parallel_interactive",
        "parallel_image": "_parallel_static",
        "plane_image": "_plane",
    },
)
