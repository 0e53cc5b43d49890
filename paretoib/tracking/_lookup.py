"""Find a sweep by id, name or id prefix, and build the errors that all stores raise."""

import unicodedata
from collections.abc import Sequence

from paretoib.errors import NotFoundError, StoreError, TakenOverError
from paretoib.records import ModelFiles, SweepState, TrialRecord
from paretoib.tracking._tracker import Ruler

SHORTEST_PREFIX = 4


def find_sweep(sweep: str, sweeps: Sequence[SweepState]) -> SweepState:
    """The sweep with this id, name (the newest of several), or unique id prefix.

    `sweeps` are newest first. If several have the name, those that are not archived come first.
    Raises `NotFoundError` if no sweep matches, or if several ids have the prefix.
    """
    name = unicodedata.normalize("NFC", sweep)
    sweeps = sorted(sweeps, key=lambda s: s.archived)
    for matches in (
        lambda s: s.id == sweep,
        lambda s: unicodedata.normalize("NFC", s.name) == name,
    ):
        if match := next(filter(matches, sweeps), None):
            return match
    long_enough = len(sweep) >= SHORTEST_PREFIX
    candidates = [s for s in sweeps if long_enough and s.id.startswith(sweep)]
    if not candidates:
        raise sweep_not_found(sweep)
    if len(candidates) > 1:
        listed = ", ".join(f"{s.id[:12]} ({s.name})" for s in candidates[:5])
        more = f" and {len(candidates) - 5} more" if len(candidates) > 5 else ""
        raise NotFoundError(f"`{sweep}` should match one sweep; it matches {listed}{more}")
    return candidates[0]


def find_deleted(sweep: str, deleted: Sequence[SweepState]) -> SweepState:
    """As `find_sweep`, among the deleted sweeps."""
    try:
        return find_sweep(sweep, deleted)
    except NotFoundError as error:
        ids = ", ".join(f"{s.id[:8]} ({s.name})" for s in deleted[:5]) or "none"
        raise NotFoundError(
            f"no deleted sweep `{sweep}`: should be a sweep's id, the first {SHORTEST_PREFIX} or "
            f"more characters of an id, or a name; deleted sweeps that can be restored: {ids}"
        ) from error


def check_not_running(state: SweepState) -> None:
    """Raise `StoreError` for a running sweep, which cannot be deleted."""
    if state.status == "running":
        raise StoreError(
            f"sweep {state.id[:8]} should not be running to be deleted; `paretoib cancel "
            f"{state.id[:8]}` ends it"
        )


def sweep_not_found(sweep: str) -> NotFoundError:
    """The error for a sweep that the store does not hold."""
    return NotFoundError(
        f"no sweep `{sweep}`: should be a sweep's id, the first {SHORTEST_PREFIX} or more "
        "characters of an id, or a name; `paretoib list` shows ids and names"
    )


def trial_not_found(sweep_id: str, trial: str) -> NotFoundError:
    """The error for a trial that has not ended in a sweep."""
    return NotFoundError(
        f"no trial `{trial}` in sweep {sweep_id[:8]}: should be the key of an ended trial"
    )


def model_not_kept(sweep_id: str, record: TrialRecord, files: ModelFiles) -> NotFoundError:
    """The error for the model of a trial that is not kept, with the reason."""
    reason = files.why_missing(record) or "its file was deleted"
    return NotFoundError(
        f"the model of trial {record.trial} in sweep {sweep_id[:8]} is not kept: {reason}"
    )


def one_writer(sweep_id: str, other: str) -> StoreError:
    """The error for a sweep that another process writes."""
    return StoreError(f"sweep {sweep_id[:8]} should have one writer at a time; found {other}")


def taken_over(sweep_id: str, other: str) -> TakenOverError:
    """The error for a writer whose sweep another process has begun."""
    return TakenOverError(
        f"sweep {sweep_id[:8]} is written by {other}, which has taken over the sweep; "
        f"`paretoib watch {sweep_id[:8]}` follows the sweep"
    )


def check_same_ruler(stored: Ruler, ruler: Ruler) -> None:
    """Raise `StoreError` if a ruler differs from the sweep's stored ruler."""
    if stored != ruler:
        raise StoreError(
            f"a sweep's ruler should stay as it was at the start: {_described(stored)}; "
            f"found {_described(ruler)}"
        )


def _described(ruler: Ruler) -> str:
    corner = ruler.reference
    return (
        f"reference point ({corner.rate_bits:g}, {corner.lost_bits:g}) bits and label entropy "
        f"{ruler.label_entropy_bits:g} bits"
    )
