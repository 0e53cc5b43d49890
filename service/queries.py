"""Queries for sweeps, trials, fronts and comparisons, with caches."""

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

from paretoib import search
from paretoib.errors import NotFoundError, ParetoIBError
from paretoib.fronts import compare, filtered, pick
from paretoib.records import (
    Comparison,
    Front,
    Importance,
    ModelFiles,
    Pick,
    PickRule,
    SweepState,
    TrialRecord,
)
from paretoib.tracking import (
    Reader,
    Ruler,
    find_sweep,
    front_of,
    no_front,
    submission_tracker,
    ui,
    with_journals,
)
from service.cache import SingleFlightCache
from service.rendering import Rendered, render_comparison, render_front
from service.schemas import Trial

if TYPE_CHECKING:
    from paretoib.tracking import SubmissionTracker

FRESH_SECONDS = 1.0  # cached lists and states of sweeps are read again after this long
_ID = re.compile(r"[0-9a-f]{32}")
_RECORDS = 20_000  # capacity of the caches of snapshots and comparisons; about 8 kB per record
_BYTES = 256 * 2**20  # capacity of the cache of rendered responses


@dataclass(frozen=True)
class Snapshot:
    """A sweep and its ended trials, without their histories, at one moment."""

    state: SweepState
    records: tuple[TrialRecord, ...]
    ruler: Ruler | None

    @cached_property
    def front(self) -> Front:
        """The front; raises `NotFoundError` before the first trial has ended."""
        if self.ruler is None or not self.records:
            raise no_front(self.state)
        return front_of(self.state.info, self.records, self.ruler)


class SweepQueries:
    """Reads sweeps, fronts and comparisons. Every method blocks, so routes call it from threads.

    The state of a sweep is read at most once a second. Its trials are read, and its fronts and
    comparisons computed, when the state has changed.
    """

    def __init__(self, mlflow_url: str | None) -> None:
        self._mlflow_url = mlflow_url
        self._lock = Lock()
        self._store: SubmissionTracker | None = None
        self._writes = 0
        self._checks: SingleFlightCache[None] = SingleFlightCache(2)
        self._lists: SingleFlightCache[list[SweepState]] = SingleFlightCache(2)
        self._states: SingleFlightCache[SweepState] = SingleFlightCache(256)
        self._snapshots = SingleFlightCache[Snapshot](
            _RECORDS, lambda snapshot: 1 + len(snapshot.records)
        )
        self._comparisons: SingleFlightCache[Comparison] = SingleFlightCache(
            _RECORDS, lambda comparison: 1 + len(comparison.points)
        )
        self._importances = SingleFlightCache[Importance](256)
        self._rendered = SingleFlightCache[Rendered](_BYTES, lambda rendered: len(rendered.content))

    @property
    def store(self) -> "SubmissionTracker":
        """The store to write to, opened on first use; raises `StoreError` if that fails."""
        with self._lock:
            if self._store is None:
                # Without an MLflow server, nothing serves MLflow's UI, so there are no links.
                no_ui = self._mlflow_url is None and ui().command
                self._store = submission_tracker("" if no_ui else self._mlflow_url)
            return self._store

    @cached_property
    def _reader(self) -> Reader:
        return with_journals(self.store)

    def check(self) -> None:
        """Raise `StoreError` unless the store answers."""
        self._checks.get(self._freshness(), lambda: self.store.check())

    def invalidate(self) -> None:
        """Make cached lists and states outdated, after the service has written to the store."""
        self._writes += 1

    def sweeps(self) -> list[SweepState]:
        """All sweeps, newest first."""
        return self._lists.get(self._freshness(), lambda: self._reader.sweeps())

    def filtered(
        self,
        name: str | None = None,
        method: str | None = None,
        dataset: str | None = None,
        status: str | None = None,
        sweep: str | None = None,
        tags: Sequence[str] = (),
        *,
        archived: bool = False,
    ) -> list[SweepState]:
        """The sweeps that match all filters, newest first; `name` matches a part of the name.

        `tags` are texts NAME or NAME=VALUE. `sweep` selects one sweep as `find` does;
        `NotFoundError` if there is none. Archived sweeps are left out, unless `archived` is set or
        `sweep` selects one.
        """
        filters = {"method": method, "dataset": dataset, "status": status}
        parts = [tag.partition("=") for tag in tags]
        wanted = {name: value if equals else None for name, equals, value in parts}
        return [
            state
            for state in (self.sweeps() if sweep is None else [self.find(sweep)])
            if (archived or sweep or not state.archived)
            and all(value in (None, getattr(state, field)) for field, value in filters.items())
            and (name or "").lower() in state.name.lower()
            and state.has_tags(wanted)
        ]

    def find(self, sweep: str) -> SweepState:
        """The sweep with this id, name (the newest of several), or unique id prefix."""
        if _ID.fullmatch(sweep):
            # A name may look like an id.
            with suppress(NotFoundError):
                return self.state(sweep)
        return self.state(find_sweep(sweep, self.sweeps()).id)

    def state(self, sweep_id: str) -> SweepState:
        """The sweep with this id."""
        key = (sweep_id, *self._freshness())
        return self._states.get(key, lambda: self._reader.state(sweep_id))

    def snapshot(self, state: SweepState) -> Snapshot:
        """The sweep with its ended trials."""
        return self._snapshots.get(version(state), lambda: self._read(state))

    def trial(self, state: SweepState, trial: str) -> Trial:
        """An ended trial with its history, by its key or the beginning of the key."""
        record = self._record(state, trial)
        history = self._reader.history(state.id, record.trial)
        url = self._reader.trial_url(state.id, record.trial)
        files = self._reader.models(state.id, record.trial).files
        model = files[0] if files else None
        return Trial(**{**dict(record), "history": history}, address=url, model=model)

    def models(self, state: SweepState) -> ModelFiles:
        """The model files of the sweep's trials, and which of them are kept."""
        return self._reader.models(state.id)

    def open_model(self, state: SweepState, trial: str) -> tuple[str, IO[bytes]]:
        """The key of an ended trial, and its model file, open to be read.

        `trial` is as for `trial`. Raises `NotFoundError`, with the reason, for a trial whose model
        is not kept.
        """
        key = self._record(state, trial).trial
        return key, self._reader.open_model(state.id, key)

    def front(
        self, state: SweepState, format: str, *, trials: bool = False, where: Sequence[str] = ()
    ) -> Rendered:
        """The sweep's front as a document, table or picture.

        `format` is a key of `rendering.FRONTS`. With `trials`, tables and pictures have single
        trials. Raises `FilterError` for an invalid condition in `where`.
        """

        def render() -> Rendered:
            front = self.snapshot(state).front
            return render_front(filtered([front], where)[0], format, trials=trials)

        return self._rendered.get((version(state), format, trials, *where), render)

    def pick(self, states: Sequence[SweepState], rule: PickRule, where: Sequence[str] = ()) -> Pick:
        """The setting of these sweeps that the rule chooses; see `paretoib.fronts.pick`."""
        return pick([self.snapshot(state).front for state in states], rule, where=where)

    def importance(self, state: SweepState) -> Importance:
        """The importance of the sweep's fields for each measure."""
        # Optuna is imported at the first request.
        return self._importances.get(
            version(state), lambda: search.field_importance(self.snapshot(state).front)
        )

    def comparison(
        self,
        left: Sequence[SweepState],
        right: Sequence[SweepState],
        where: Sequence[str] = (),
    ) -> Comparison:
        """Compare the fronts of both sides.

        Raises `ComparisonError` for a side without a finite rate and for sweeps on different data,
        `FilterError` for an invalid condition in `where`, and `ParetoIBError` for a sweep that is
        named twice.
        """
        both = (*left, *right)
        for state in both:
            if sum(state.id == other.id for other in both) > 1:
                raise ParetoIBError(f"a sweep should be named once; found `{state.name}` twice")

        def fronts(states: Sequence[SweepState]) -> list[Front]:
            return [self.snapshot(state).front for state in states]

        return self._comparisons.get(
            (*_versions(left, right), *where),
            lambda: compare(fronts(left), fronts(right), where=where),
        )

    def rendered_comparison(
        self,
        left: Sequence[SweepState],
        right: Sequence[SweepState],
        format: str,
        *,
        trials: bool = False,
        where: Sequence[str] = (),
    ) -> Rendered:
        """The comparison as a document, table or picture; the arguments are as for `front`.

        `format` is a key of `rendering.COMPARISONS`.
        """
        return self._rendered.get(
            (*_versions(left, right), format, trials, *where),
            lambda: render_comparison(self.comparison(left, right, where), format, trials=trials),
        )

    def _record(self, state: SweepState, trial: str) -> TrialRecord:
        """The record of an ended trial, by its key or the beginning of the key."""
        for record in self.snapshot(state).records:
            if record.trial.startswith(trial):
                return record
        raise NotFoundError(f"no trial `{trial}` in sweep {state.id[:8]} has ended")

    def _read(self, state: SweepState) -> Snapshot:
        ruler = self._reader.ruler(state.id)
        records = tuple(self._reader.records(state.id)) if ruler else ()
        return Snapshot(state, records, ruler)

    def _freshness(self) -> tuple[Any, ...]:
        """A cache key that changes every second, and after each write by the service."""
        return (self._writes, time.monotonic() // FRESH_SECONDS)


def version(state: SweepState) -> tuple[Any, ...]:
    """A cache key that changes when a trial ends or the sweep's status changes.

    The time of submission is part of the key. So the trials of a resumed sweep are read again: a
    killed writer may have written a trial without counting it.
    """
    counts = (state.trials.finished, state.trials.stopped, state.trials.failed)
    return (state.id, state.status, state.submitted, state.ended, state.reason, *counts)


def _versions(left: Sequence[SweepState], right: Sequence[SweepState]) -> tuple[Any, ...]:
    return tuple(map(version, left)), tuple(map(version, right))
