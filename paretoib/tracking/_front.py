"""The front of a sweep, built from the trials that the store holds."""

from collections.abc import Sequence

from paretoib.errors import NotFoundError
from paretoib.records import Front, SweepInfo, SweepState, TrialRecord
from paretoib.tracking._tracker import Reader, Ruler


def front_of(info: SweepInfo, records: Sequence[TrialRecord], ruler: Ruler) -> Front:
    """The front of these trials, with the exact curve of the sweep's data if it is known."""
    # Imported here, because numpy would double the time of `paretoib list`.
    from paretoib.fronts import build_front, exact_curve

    return build_front(
        info,
        records,
        reference=ruler.reference,
        label_entropy_bits=ruler.label_entropy_bits,
        exact=exact_curve(
            info.spec["data"], ceiling_bits=ruler.label_entropy_bits, reference=ruler.reference
        ),
    )


def read_front(reader: Reader, state: SweepState) -> Front:
    """The current front of a sweep; raises `NotFoundError` before its first trial has ended."""
    ruler = reader.ruler(state.id)
    records = reader.records(state.id) if ruler else []
    if ruler is None or not records:
        raise no_front(state)
    return front_of(state.info, records, ruler)


def no_front(state: SweepInfo) -> NotFoundError:
    """The error for the front of a sweep without an ended trial."""
    return NotFoundError(f"sweep `{state.name}` ({state.id[:8]}) has no ended trial yet")
