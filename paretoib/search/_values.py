"""What a search is told of a trial: its objectives on the validation split, all to be minimised."""

import math
from collections.abc import Sequence

from paretoib.records import Metrics, TrialRecord

Values = tuple[float, ...]


def values_of(
    record: TrialRecord, objectives: Sequence[str], reference: tuple[float, float] | None
) -> Values | None:
    """The objectives; rate and lost bits as shares of the corner of hypervolumes, `reference`.

    Error is a share as it is, cost are seconds. All are rounded to about what the ruler can tell
    apart (0.01 bits, 0.001 of error, two digits of cost), as the same trial in another pack
    differs in the last digits of a float. None where one is missing: the trial failed, diverged,
    was stopped, or has no finite rate.
    """
    metrics = record.validation
    if record.status != "finished" or metrics is None:
        return None
    corner = reference or (10 * metrics.ceiling_bits, metrics.ceiling_bits)
    found = [_measure(name, record, metrics, corner) for name in objectives]
    values = tuple(v for v in found if v is not None and math.isfinite(v))
    return values if len(values) == len(found) else None


def _measure(
    name: str, record: TrialRecord, metrics: Metrics, corner: tuple[float, float]
) -> float | None:
    rate, lost = corner
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
