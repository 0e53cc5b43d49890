"""The objectives of a trial for a search: on the validation split, all minimised."""

import math
from collections.abc import Sequence

from paretoib.records import Metrics, TrialRecord

Values = tuple[float, ...]


def values_of(
    record: TrialRecord, objectives: Sequence[str], reference: tuple[float, float] | None
) -> Values | None:
    """The values of the objectives; None if one is missing.

    Rate and lost bits are divided by the reference point `reference` (by default ten times the
    ceiling, and the ceiling). Error is 1 − accuracy; cost is in seconds. All are rounded (to 0.01
    bits, 0.001 of error, two digits of cost), because the same trial differs in the last digits if
    it trains in another pack. A value is missing if the trial failed, diverged, was
    stopped, or has no finite rate.
    """
    metrics = record.validation
    if record.status != "finished" or metrics is None:
        return None
    scales = reference or (10 * metrics.ceiling_bits, metrics.ceiling_bits)
    candidates = [_value_of(name, record, metrics, scales) for name in objectives]
    values = tuple(v for v in candidates if v is not None and math.isfinite(v))
    return values if len(values) == len(candidates) else None


def _value_of(
    name: str, record: TrialRecord, metrics: Metrics, scales: tuple[float, float]
) -> float | None:
    rate, lost = scales
    match name:
        case "rate":
            bits = metrics.rate_bits
            return None if bits is None else round(bits, 2) / (rate or 1.0)
        case "lost":
            return round(metrics.lost_bits, 2) / (lost or 1.0)
        case "error":
            return None if metrics.accuracy is None else round(1 - metrics.accuracy, 3)
        case _:
            return float(f"{record.seconds:.2g}")
