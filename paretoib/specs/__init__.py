"""The specs of a trial (`TrialSpec`) and of a sweep (`SweepSpec`), and their parts."""

from paretoib.specs._axes import (
    distinct_digits,
    parse_axis,
    parse_range,
    parse_value,
    range_digits,
)
from paretoib.specs._defaults import default_name
from paretoib.specs._extended import extended
from paretoib.specs._extensions import Additions, Extension
from paretoib.specs._limits import Budget, Plateau, Prune, Resources
from paretoib.specs._methods import ADAPTIVE_FIELDS, METHODS, SEARCHES, Method, Search
from paretoib.specs._overrides import with_overrides, with_seed_count, without_defaults
from paretoib.specs._own import check_own_parts, local_sections, with_own_parts
from paretoib.specs._preset_use import PresetUse, preset_use
from paretoib.specs._presets import preset_values
from paretoib.specs._sections import Section, section_model, short_name
from paretoib.specs._space import Choices, Range, default_space
from paretoib.specs._sweep import UNPRINTABLE, SweepSpec
from paretoib.specs._trial import Training, TrialSpec

__all__ = [
    "ADAPTIVE_FIELDS",
    "METHODS",
    "SEARCHES",
    "UNPRINTABLE",
    "Additions",
    "Budget",
    "Choices",
    "Extension",
    "Method",
    "Plateau",
    "PresetUse",
    "Prune",
    "Range",
    "Resources",
    "Search",
    "Section",
    "SweepSpec",
    "Training",
    "TrialSpec",
    "check_own_parts",
    "default_name",
    "default_space",
    "distinct_digits",
    "extended",
    "local_sections",
    "parse_axis",
    "parse_range",
    "parse_value",
    "preset_use",
    "preset_values",
    "range_digits",
    "section_model",
    "short_name",
    "with_overrides",
    "with_own_parts",
    "with_seed_count",
    "without_defaults",
]
