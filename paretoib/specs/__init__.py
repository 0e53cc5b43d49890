"""What is asked for: one trial (`TrialSpec`), a sweep of them (`SweepSpec`)."""

from paretoib.specs._axes import parse_axis, parse_value
from paretoib.specs._methods import ADAPTIVE_FIELDS, METHODS, SEARCHES, Method
from paretoib.specs._sections import Section, section_model
from paretoib.specs._sweep import SweepSpec
from paretoib.specs._trial import Training, TrialSpec

__all__ = [
    "ADAPTIVE_FIELDS",
    "METHODS",
    "SEARCHES",
    "Method",
    "Section",
    "SweepSpec",
    "Training",
    "TrialSpec",
    "parse_axis",
    "parse_value",
    "section_model",
]
