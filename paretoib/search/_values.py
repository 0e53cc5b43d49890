"""The values of search objectives: rate, lost, error and cost of a trial, all minimised."""

import math
from collections.abc import Sequence

from paretoib.records import Metrics, TrialRecord

Values = tuple[float, ...]


def values_of(
    record: TrialRecord, objectives: Sequence[str], reference: tuple[float, float] | None
) -> Values | None:
    """The values of the search objectives `objectives` for a trial; None if one is missing.

    `rate` and `lost` are bits on the validation split, divided by the coordinates of `reference`
    (default: (10 · ceiling, ceiling)). `error` is 1 − accuracy on that split; `cost` is in seconds.
    Values are rounded (bits to 0.01, error to 0.001, cost to two digits), because the last digits
    of a trial's metrics depend on the other trials of its pack.

    All values are missing if the trial did not finish or has no validation metrics. `rate` is
    missing without a finite rate, and `error` without an accuracy.
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
    rate_scale, lost_scale = scales
    match name:
        case "rate":
            bits = metrics.rate_bits
            return None if bits is None else round(bits, 2) / (rate_scale or 1.0)
        case "lost":
            return round(metrics.lost_bits, 2) / (lost_scale or 1.0)
        case "error":
            return None if metrics.accuracy is None else round(1 - metrics.accuracy, 3)
        case _:
            return float(f"{record.seconds:.2g}")
