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

    So it is of data sets of a package that is not installed here: what was measured can be read.
    `ceiling_bits` is the most that a code can tell of Y: H(Y), or I(X;Y) for continuous Y.
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
