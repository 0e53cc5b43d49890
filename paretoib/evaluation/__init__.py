"""Bounds on the rate and the relevance, computed in the same way for all methods."""

from paretoib.evaluation._codes import (
    code_rate,
    code_tables,
    discrete_information,
    fit_marginals,
)
from paretoib.evaluation._rate import BLOCK, GaussianMarginal, RateBounds, rate_bounds
from paretoib.evaluation._relevance import relevance_bound, relevance_error

__all__ = [
    "BLOCK",
    "GaussianMarginal",
    "RateBounds",
    "code_rate",
    "code_tables",
    "discrete_information",
    "fit_marginals",
    "rate_bounds",
    "relevance_bound",
    "relevance_error",
]
