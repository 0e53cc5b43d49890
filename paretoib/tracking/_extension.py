"""Extend a sweep that has ended: its next spec, and the checks of all stores."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from paretoib.errors import StoreError
from paretoib.records import SweepState
from paretoib.specs import Additions, SweepSpec, extended


def extended_spec(state: SweepState, additions: Additions) -> SweepSpec:
    """The spec of a sweep with these additions, made at this moment; nothing is written.

    Raises `StoreError` for a running sweep, and `SpecError` for additions that the sweep cannot
    have, or that add nothing.
    """
    check_ended(state)
    spec = SweepSpec.from_document(state.spec)
    return extended(spec, additions, ended=state.trials.ended, at=datetime.now(UTC))


def check_ended(state: SweepState) -> None:
    """Raise `StoreError` for a running sweep, which cannot be extended."""
    if state.status == "running":
        raise StoreError(
            f"sweep {state.id[:8]} should have ended to be extended; it is running: "
            f"`paretoib watch {state.id[:8]}` follows it"
        )


def check_next_extension(sweep_id: str, stored: Mapping[str, Any], spec: SweepSpec) -> None:
    """Raise `StoreError` unless `spec` is the stored spec with one more extension.

    The spec of a sweep changes by extensions only, and each of them adds an entry to its history.
    """
    if len(stored.get("extensions", ())) != len(spec.extensions) - 1:
        raise StoreError(
            f"sweep {sweep_id[:8]} was extended by another process in the meantime; repeat the "
            "command to extend it further"
        )
