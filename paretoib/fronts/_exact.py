"""The exact IB curve of a sweep's data set."""

from collections.abc import Mapping
from typing import Any

from paretoib.data import DATASETS
from paretoib.records import ExactCurve, ReferencePoint
from paretoib.registry import load_target


def exact_curve(
    data: Mapping[str, Any], *, ceiling_bits: float, reference: ReferencePoint
) -> ExactCurve | None:
    """The exact curve for a spec's `data` section, up to the rate of the reference point.

    None if no exact curve is known, or if the data set's plugin is not installed. A missing plugin
    is not an error, so that stored fronts can be read without it. `ceiling_bits` is the relevance
    ceiling: H(Y), or I(X;Y) for a continuous Y and for noisy labels.
    """
    entry = DATASETS.get(data["name"])
    if entry is None or not entry.exact:
        return None
    curve = load_target(entry.exact)(data, ceiling_bits, reference.rate_bits)
    return ExactCurve(
        label=curve.label,
        rate_bits=tuple(curve.rate_bits.tolist()),
        lost_bits=tuple(curve.lost_bits.tolist()),
    )
