"""Objectives whose optimum for jointly Gaussian data is the optimum of the information bottleneck.

With a linear encoder, codes are Gaussian, so the bounds on H[Z] and I(X;Z|Y) are exact. The exact
optima are those of Chechik, Globerson, Tishby, Weiss 2005, whose β is the inverse of vib's β.
"""

import math
from typing import Any

import pytest

from paretoib.data import DATASETS
from paretoib.data._exact import gaussian_ib
from paretoib.data._gaussian import covariances
from paretoib.specs import TrialSpec
from paretoib.training._run import run_trials

CORRELATIONS = next(p.default for p in DATASETS["gaussian"].params if p.name == "correlations")
SETTINGS: dict[str, Any] = {
    "latent": 4,
    "samples": 10_000,
    "epochs": 25,
    "batch_size": 250,
    "learning_rate": 0.05,
    "schedule": "exponential",
    "decay": 0.85,
}
# The β of each objective that corresponds to vib's β: H[Z] = I(X;Z) under zero-entropy noise, and
# I(X;Z|Y) = I(X;Z) − I(Y;Z).
EQUIVALENT_BETA = {
    "log_var": lambda beta: beta,
    "dib": lambda beta: beta,
    "ceb": lambda beta: beta / (1 - beta),
}


@pytest.mark.parametrize("name", EQUIVALENT_BETA)
def test_the_rate_is_close_to_the_rate_of_the_exact_optimum(name: str) -> None:
    """The rate of each objective is within 5 % of the exact rate, for rates of 2 to 5 bits.

    At these rates, the latent keeps two or three of four directions.
    """
    betas = (0.2, 0.35, 0.5)
    template = TrialSpec.from_document(
        {"data": "gaussian", "model": "linear", "objective": name, "weighting": "linear"}
    ).with_fields(SETTINGS | ({"covariance": "full"} if name == "dib" else {}))
    specs = [template.with_fields({"beta": EQUIVALENT_BETA[name](beta)}) for beta in betas]
    records = run_trials(specs, device="cpu")
    exact = gaussian_ib(*covariances(CORRELATIONS, 8, 0), [1 / beta for beta in betas])
    for record, rate_nats in zip(records, exact.rates, strict=True):
        assert record.test is not None
        assert record.test.rate_bits == pytest.approx(rate_nats / math.log(2), rel=0.05)
