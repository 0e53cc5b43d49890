"""Reads a sweep back: its front, from the trials that the store holds."""

from collections.abc import Sequence

from paretoib.errors import NotFoundError
from paretoib.fronts import build_front, exact_curve
from paretoib.records import Front, SweepInfo, TrialRecord
from paretoib.tracking._tracker import Reader, Ruler


def front_of(info: SweepInfo, records: Sequence[TrialRecord], ruler: Ruler) -> Front:
    """The front of a sweep's trials, with the exact curve of its data where that is known."""
    return build_front(
        info,
        records,
        reference=ruler.reference,
        label_entropy_bits=ruler.label_entropy_bits,
        exact=exact_curve(
            info.spec["data"], ceiling_bits=ruler.label_entropy_bits, reference=ruler.reference
        ),
    )


def read_front(tracker: Reader, info: SweepInfo) -> Front:
    """The front of a sweep as the store has it now; `NotFoundError` before a trial has ended."""
    ruler = tracker.ruler(info.id)
    records = tracker.records(info.id) if ruler else []
    if ruler is None or not records:
        raise NotFoundError(f"sweep `{info.name}` ({info.id[:8]}) has no ended trial yet")
    return front_of(info, records, ruler)
