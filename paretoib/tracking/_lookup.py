"""Which sweep a person means."""

from collections.abc import Sequence

from paretoib.errors import NotFoundError, StoreError, TakenOverError
from paretoib.records import SweepInfo
from paretoib.tracking._tracker import Ruler

SHORTEST_PREFIX = 4


def pick(reference: str, sweeps: Sequence[SweepInfo]) -> SweepInfo:
    """The sweep with this id, name (of several: the latest), or unique id prefix.

    `sweeps` are newest first. Raises `NotFoundError` where none or several fit.
    """
    for exact in (lambda s: s.id == reference, lambda s: s.name == reference):
        if found := next(filter(exact, sweeps), None):
            return found
    long_enough = len(reference) >= SHORTEST_PREFIX
    fitting = [s for s in sweeps if long_enough and s.id.startswith(reference)]
    if not fitting:
        raise not_found(reference)
    if len(fitting) > 1:
        shown = ", ".join(f"{s.id[:12]} ({s.name})" for s in fitting[:5])
        more = f" and {len(fitting) - 5} more" if len(fitting) > 5 else ""
        raise NotFoundError(f"`{reference}` should fit one sweep; it fits {shown}{more}")
    return fitting[0]


def not_found(reference: str) -> NotFoundError:
    """The error for a sweep that is not there."""
    return NotFoundError(
        f"no sweep `{reference}`: should be a sweep's id, the first {SHORTEST_PREFIX} or more "
        "characters of one, or a name; `paretoib list` shows them"
    )


def no_trial(sweep_id: str, trial: str) -> NotFoundError:
    """The error for a trial that has not ended in a sweep."""
    return NotFoundError(
        f"no trial `{trial}` in sweep {sweep_id[:8]}: should be the key of one that has ended"
    )


def one_writer(sweep_id: str, other: str) -> StoreError:
    """The error for a sweep that someone else is writing."""
    return StoreError(
        f"a sweep should have one writer at a time; found {other}, writing {sweep_id[:8]}"
    )


def taken_over(sweep_id: str, other: str) -> TakenOverError:
    """The error for a sweep that this process wrote, and that someone else has begun since."""
    return TakenOverError(
        f"sweep {sweep_id[:8]} is written by {other}, which has taken it over; "
        f"`paretoib watch {sweep_id[:8]}` follows it"
    )


def check_same_ruler(held: Ruler, given: Ruler) -> None:
    """Refuse another ruler than the one that the sweep's hypervolumes were measured with."""
    if held != given:
        raise StoreError(
            "a sweep's ruler should stay as it was fixed with the first trial, reference "
            f"{_described(held)}; found {_described(given)}"
        )


def _described(ruler: Ruler) -> str:
    corner = ruler.reference
    return (
        f"({corner.rate_bits:g}, {corner.lost_bits:g}) bits at {ruler.label_entropy_bits:g} bits "
        "of labels"
    )
