"""What the service reads, and keeps as long as nothing of it has changed."""

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from paretoib.errors import NotFoundError, ParetoIBError
from paretoib.fronts import compare
from paretoib.records import Comparison, Front, TrialRecord
from paretoib.tracking import Ruler, front_of
from paretoib.tracking._lookup import pick
from paretoib.tracking._mlflow.location import is_server, shown
from service.cache import SingleFlightCache
from service.rendering import Rendered, render_comparison, render_front
from service.schemas import Row, Sweep, Trial

if TYPE_CHECKING:
    from service.store import Store

FRESH = 1.0  # seconds for which a list of sweeps, or how one stands, is not asked for again
_ID = re.compile(r"[0-9a-f]{32}")
_RECORDS = 20_000  # kept in memory, at some 8 kB each
_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Snapshot:
    """A sweep and its ended trials, without their histories, as the store had them."""

    row: Row
    records: tuple[TrialRecord, ...]
    ruler: Ruler | None

    @cached_property
    def front(self) -> Front:
        """The front; `NotFoundError` before the first trial has ended."""
        sweep = self.row.sweep
        if self.ruler is None or not self.records:
            raise NotFoundError(f"sweep `{sweep.name}` ({sweep.id[:8]}) has no ended trial yet")
        return front_of(sweep.info, self.records, self.ruler)


class SweepQueries:
    """Sweeps, fronts and comparisons. All of it blocks: it is for threads.

    How a sweep stands is asked of the store once a second at most; its trials are read, and
    fronts and comparisons computed, when that has changed.
    """

    def __init__(self, pages: str | None) -> None:
        self._pages = pages
        self._lock = Lock()
        self._store: Store | None = None
        self._written = 0
        self._checks: SingleFlightCache[None] = SingleFlightCache(2)
        self._rows: SingleFlightCache[list[Row]] = SingleFlightCache(2)
        self._row: SingleFlightCache[Row] = SingleFlightCache(256)
        self._snapshots: SingleFlightCache[Snapshot] = SingleFlightCache(
            _RECORDS, lambda snapshot: 1 + len(snapshot.records)
        )
        self._comparisons: SingleFlightCache[Comparison] = SingleFlightCache(
            _RECORDS, lambda comparison: 1 + len(comparison.points)
        )
        self._rendered: SingleFlightCache[Rendered] = SingleFlightCache(
            _BYTES, lambda rendered: len(rendered.content)
        )

    @property
    def store(self) -> "Store":
        """The store, opened when it is first needed; `StoreError` while it cannot be."""
        with self._lock:
            if self._store is None:
                from service.store import Store

                self._store = Store()
            return self._store

    def check(self) -> None:
        """`StoreError` unless the store answers."""
        self._checks.get(self._now(), lambda: self.store.check())

    def changed(self) -> None:
        """The service has written something: what was read before is old."""
        self._written += 1

    def rows(self) -> list[Row]:
        """All sweeps, newest first."""
        return self._rows.get(self._now(), lambda: self.store.rows())

    def listed(
        self,
        name: str | None = None,
        method: str | None = None,
        dataset: str | None = None,
        status: str | None = None,
        reference: str | None = None,
    ) -> list[Sweep]:
        """The sweeps that fit, newest first; of the name a part is enough.

        With a `reference`, as `row` takes it, no other than that; `NotFoundError` without it.
        """
        wanted = {"method": method, "dataset": dataset, "status": status}
        return [
            row.sweep
            for row in (self.rows() if reference is None else [self.row(reference)])
            if all(value in (None, getattr(row.sweep, field)) for field, value in wanted.items())
            and (name or "").lower() in row.sweep.name.lower()
        ]

    def row(self, reference: str) -> Row:
        """The sweep with this id, name (of several: the latest), or unique id prefix."""
        if _ID.fullmatch(reference):
            # A name may look like an id.
            with suppress(NotFoundError):
                return self.by_id(reference)
        return self.by_id(pick(reference, [row.sweep for row in self.rows()]).id)

    def by_id(self, sweep_id: str) -> Row:
        """The sweep with this id."""
        return self._row.get((sweep_id, *self._now()), lambda: self.store.row(sweep_id))

    def snapshot(self, row: Row) -> Snapshot:
        """The sweep's ended trials."""
        return self._snapshots.get(row.version, lambda: self._read(row))

    def trial(self, row: Row, trial: str) -> Trial:
        """An ended trial by its key, or the beginning of it, with its history."""
        for record in self.snapshot(row).records:
            if record.trial.startswith(trial):
                history = self.store.histories(row.sweep.id, record.trial)
                address = self._link(self.store.run_address(row.sweep.id, record.trial))
                return Trial(**{**dict(record), "history": history}, address=address)
        raise NotFoundError(f"no trial `{trial}` in sweep {row.sweep.id[:8]} has ended")

    def link(self, row: Row) -> str | None:
        """The sweep's place in MLflow's pages, where people reach them."""
        return self._link(self.store.address(row.sweep.id))

    def front(self, row: Row, form: str) -> Rendered:
        """The sweep's front as a document or picture, `form` being one of `FRONTS`."""
        key = (row.version, form)
        return self._rendered.get(key, lambda: render_front(self.snapshot(row).front, form))

    def comparison(self, left: Sequence[Row], right: Sequence[Row]) -> Comparison:
        """Both sides' fronts, compared; `ComparisonError` where no ruler measures them all."""
        both = (*left, *right)
        for row in both:
            if sum(row.sweep.id == other.sweep.id for other in both) > 1:
                raise ParetoIBError(f"a sweep should be named once; `{row.sweep.name}` is twice")

        def fronts(rows: Sequence[Row]) -> list[Front]:
            return [self.snapshot(row).front for row in rows]

        return self._comparisons.get(
            _versions(left, right), lambda: compare(fronts(left), fronts(right))
        )

    def rendered_comparison(self, left: Sequence[Row], right: Sequence[Row], form: str) -> Rendered:
        """The comparison as a document or picture, `form` being one of `COMPARISONS`."""
        return self._rendered.get(
            (*_versions(left, right), form),
            lambda: render_comparison(self.comparison(left, right), form),
        )

    def _read(self, row: Row) -> Snapshot:
        store = self.store
        ruler = store.ruler(row.sweep.id)
        return Snapshot(row, tuple(store.records(row.sweep.id)) if ruler else (), ruler)

    def _link(self, address: str) -> str | None:
        base = self._pages
        if base is None:
            # Without the password that the store's own address may have.
            base = shown(self.store.uri) if is_server(self.store.uri) else ""
        place = address.partition("#/")[2]
        return f"{base.rstrip('/')}/#/{place}" if base else None

    def _now(self) -> tuple[Any, ...]:
        return (self._written, time.monotonic() // FRESH)


def _versions(left: Sequence[Row], right: Sequence[Row]) -> tuple[Any, ...]:
    return tuple(row.version for row in left), tuple(row.version for row in right)
