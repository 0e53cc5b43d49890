"""Measurements of encoders that no sweep has trained."""

from typing import Literal

from pydantic import Field

from paretoib.documents import Document
from paretoib.records._sweeps import SweepInfo


class Measurement(Document):
    """The rate and the relevance of any encoder on N `examples`, by `paretoib.measure`.

    Fields that `Metrics` has too have the same meaning. `…_se_bits` are standard errors.
    `rate_bits` and `rate_lower_bits` are computed from `rate_inputs` examples; the lower bound is
    at most `rate_limit_bits`, their log2. If it is within one bit of this limit, it is
    `rate_saturated`: the rate may then be any number up to the upper bound.

    `label_entropy_bits` is H(Y), or h(Y) for a continuous Y. The ceiling and the lost bits are None
    for a continuous Y whose I(X;Y) is not known. `accuracy` uses the mean latent,
    `accuracy_sampled` the mean prediction over samples of z; `accuracy_se` is the standard error of
    the first of them that is known. `classes` is None for a continuous Y. `decoder` is the name of
    the decoder that was cross-fitted in `folds` folds, or "predictions".
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    examples: int
    rate_inputs: int
    rate_bits: float
    rate_se_bits: float
    rate_lower_bits: float
    rate_lower_se_bits: float
    rate_limit_bits: float
    rate_saturated: bool
    relevance_bits: float
    relevance_se_bits: float
    label_entropy_bits: float
    ceiling_bits: float | None
    lost_bits: float | None
    cross_entropy_bits: float
    accuracy: float | None
    accuracy_sampled: float | None
    accuracy_se: float | None
    classes: int | None
    decoder: str
    folds: int | None

    def __str__(self) -> str:
        saturated = ", saturated" if self.rate_saturated else ""
        return (
            f"rate {self.rate_lower_bits:.2f} (±{self.rate_lower_se_bits:.2f}{saturated}) to "
            f"{self.rate_bits:.2f} (±{self.rate_se_bits:.2f}) bits, relevance at least "
            f"{self.relevance_bits:.3f} (±{self.relevance_se_bits:.3f}) bits, by {self.decoder}"
        )

    def __repr__(self) -> str:
        return f"<Measurement {self}>"


class FrontPlace(Document):
    """The place of a `Measurement` beside the front of a sweep, by `paretoib.fronts.place`.

    `dominated_by` are the trials of the front that dominate the measured point, and `dominates` the
    trials of the front that the point dominates. The point is `on_front` if no trial dominates it.
    `hull_gap_bits` is its vertical distance above the hull of the front; it is negative below the
    hull, and None if the point has a lower rate than every point of the hull.
    """

    sweep: SweepInfo
    rate_bits: float
    rate_lower_bits: float
    lost_bits: float
    on_front: bool
    dominated_by: tuple[str, ...]
    dominates: tuple[str, ...]
    hull_gap_bits: float | None
