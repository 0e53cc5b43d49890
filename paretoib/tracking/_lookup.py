"""Find the sweep that a reference names, and the errors for sweeps and trials not found."""

from collections.abc import Sequence

from paretoib.errors import NotFoundError, StoreError, TakenOverError
from paretoib.records import SweepState
from paretoib.tracking._tracker import Ruler

SHORTEST_PREFIX = 4


def find_sweep(reference: str, sweeps: Sequence[SweepState]) -> SweepState:
    """The sweep with this id, name (the newest of several), or unique id prefix.

    `sweeps` are newest first. Raises `NotFoundError` where no sweep matches, or several do.
    """
    for matches in (lambda s: s.id == reference, lambda s: s.name == reference):
        if match := next(filter(matches, sweeps), None):
            return match
    long_enough = len(reference) >= SHORTEST_PREFIX
    candidates = [s for s in sweeps if long_enough and s.id.startswith(reference)]
    if not candidates:
        raise sweep_not_found(reference)
    if len(candidates) > 1:
        listed = ", ".join(f"{s.id[:12]} ({s.name})" for s in candidates[:5])
        more = f" and {len(candidates) - 5} more" if len(candidates) > 5 else ""
        raise NotFoundError(f"`{reference}` should match one sweep; it matches {listed}{more}")
    return candidates[0]


def sweep_not_found(reference: str) -> NotFoundError:
    """The error for a sweep that the store does not hold."""
    return NotFoundError(
        f"no sweep `{reference}`: should be a sweep's id, the first {SHORTEST_PREFIX} or more "
        "characters of one, or a name; `paretoib list` shows them"
    )


def trial_not_found(sweep_id: str, trial: str) -> NotFoundError:
    """The error for a trial that has not ended in a sweep."""
    return NotFoundError(
        f"no trial `{trial}` in sweep {sweep_id[:8]}: should be the key of an ended trial"
    )


def one_writer(sweep_id: str, other: str) -> StoreError:
    """The error for a sweep that another process writes."""
    return StoreError(
        f"a sweep should have one writer at a time; found {other}, writing {sweep_id[:8]}"
    )


def taken_over(sweep_id: str, other: str) -> TakenOverError:
    """The error for a sweep that this process wrote until another process began it."""
    return TakenOverError(
        f"sweep {sweep_id[:8]} is written by {other}, which has taken it over; "
        f"`paretoib watch {sweep_id[:8]}` follows it"
    )


def check_same_ruler(stored: Ruler, ruler: Ruler) -> None:
    """Refuse a ruler that differs from the one that the sweep's hypervolumes were measured with."""
    if stored != ruler:
        raise StoreError(
            "a sweep's ruler should stay as it was fixed with the first trial, reference "
            f"{_described(stored)}; found {_described(ruler)}"
        )


def _described(ruler: Ruler) -> str:
    corner = ruler.reference
    return (
        f"({corner.rate_bits:g}, {corner.lost_bits:g}) bits at {ruler.label_entropy_bits:g} bits "
        "of labels"
    )
