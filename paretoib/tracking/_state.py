"""The state of a sweep, and the stale rule.

For every reader, a running sweep counts as interrupted when its heartbeat is stale. There are three
exceptions: a submitted sweep that has not begun, because it waits for the cluster; a sweep whose
journal is locked on this machine, because a writer that closes its sweep sends no heartbeats; and a
sweep whose heartbeat the reader has seen change, because the clocks of two machines may differ.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from paretoib.records import SweepState, TrialCounts, TrialRecord
from paretoib.tracking import _heartbeat


def with_stale_rule(state: SweepState, store_unavailable_at: datetime | None = None) -> SweepState:
    """The state; its status is `interrupted` if the sweep's heartbeat is stale.

    The start, the submission and `store_unavailable_at` count as heartbeats.
    `store_unavailable_at` is the last time at which the store did not answer: no writer could send
    a heartbeat then.
    """
    waits_for_cluster = state.submitted is not None and not state.begun
    if state.status != "running" or waits_for_cluster:
        return state
    times = (state.started, state.submitted, state.heartbeat, store_unavailable_at)
    last = max(time for time in times if time is not None)
    if not _heartbeat.is_stale(last.timestamp()):
        return state
    reason = state.reason or f"no heartbeat for {_heartbeat.STALE_SECONDS:g} s or more"
    return state.model_copy(update={"status": "interrupted", "reason": reason, "packs": None})


def without_stale_rule(state: SweepState) -> SweepState:
    """The state of a stale sweep whose writer is known to run."""
    return state.model_copy(update={"status": "running", "reason": None})


def with_trials(
    state: SweepState, records: Sequence[TrialRecord], hypervolume: float | None
) -> SweepState:
    """The state with the counts of these ended trials and their hypervolume (bits²)."""
    counts = TrialCounts.of(state.trials.total, records)
    return state.model_copy(update={"trials": counts, "hypervolume": hypervolume})


def from_timestamp(seconds: float) -> datetime:
    """A time in UTC from seconds since the epoch."""
    return datetime.fromtimestamp(seconds, tz=UTC)
