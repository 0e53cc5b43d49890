"""The exact IB curve of a sweep's data, to draw and measure fronts against."""

from collections.abc import Mapping
from typing import Any

from paretoib.data import DATASETS
from paretoib.records import ExactCurve, Reference
from paretoib.registry import load_target


def exact_curve(
    data: Mapping[str, Any], *, ceiling_bits: float, reference: Reference
) -> ExactCurve | None:
    """The curve up to the reference's rate for a spec's `data` section; None where unknown.

    `ceiling_bits` is the most that a code can tell of Y: H(Y), or I(X;Y) for continuous Y.
    """
    exact = DATASETS[data["name"]].exact
    if not exact:
        return None
    curve = load_target(exact)(data, ceiling_bits, reference.rate_bits)
    return ExactCurve(
        label=curve.label,
        rate_bits=tuple(curve.rate_bits.tolist()),
        lost_bits=tuple(curve.lost_bits.tolist()),
    )
