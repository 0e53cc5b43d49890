"""Bounds on the rate and the relevance, computed in the same way for all methods."""

from typing import TYPE_CHECKING

from paretoib.evaluation._codes import (
    code_rate,
    code_tables,
    discrete_information,
    fit_marginals,
)
from paretoib.evaluation._limits import RATE_INPUTS, SAMPLES
from paretoib.evaluation._rate import BLOCK, GaussianMarginal, RateBounds, rate_bounds
from paretoib.evaluation._relevance import relevance_bound, relevance_error
from paretoib.lazy import lazy_names

if TYPE_CHECKING:
    from paretoib.evaluation._measurement import measure

__all__ = [
    "BLOCK",
    "RATE_INPUTS",
    "SAMPLES",
    "GaussianMarginal",
    "RateBounds",
    "code_rate",
    "code_tables",
    "discrete_information",
    "fit_marginals",
    "measure",
    "rate_bounds",
    "relevance_bound",
    "relevance_error",
]

# Lazily, because the decoders of `measure` import scikit-learn, which workers do not need.
__getattr__ = lazy_names(__name__, {"measure": "_measurement"})
