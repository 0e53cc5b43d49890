"""The store on this machine. Sweeps that are begun here run in this process."""

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from paretoib.errors import ServiceError
from paretoib.records import Front, Progress, SweepInfo
from paretoib.registry import Entry
from paretoib.tracking import STALE_SECONDS, Reader, front_of, read_front, reader

if TYPE_CHECKING:
    from paretoib.cli._options import OnProgress
    from paretoib.specs import SweepSpec

POLL = 1.0  # seconds between two looks at a sweep that another process runs


class LocalBackend:
    """The store that the settings name; nothing of it is changed but by what runs in it."""

    @cached_property
    def _store(self) -> Reader:
        return reader()

    def find(self, reference: str) -> SweepInfo:
        return self._seen(self._store.find(reference))

    def sweeps(self) -> list[SweepInfo]:
        return [self._seen(info) for info in self._store.sweeps()]

    def progress(self, info: SweepInfo) -> Progress:
        return self._look(info)[0]

    def front(self, info: SweepInfo) -> Front:
        return read_front(self._store, info)

    def history(self, info: SweepInfo, trial: str) -> Mapping[str, Sequence[float | None]]:
        return self._store.histories(info.id, trial)

    def address(self, info: SweepInfo) -> str:
        return self._store.address(info.id)

    def catalogue(self, what: str) -> Mapping[str, Mapping[str, Any]]:
        from paretoib.data import DATASETS
        from paretoib.models import MODELS
        from paretoib.specs import SEARCHES

        if what == "methods":
            return _methods()
        if what == "searches":
            return {
                n: {"summary": s.summary, "paper": "", "fields": {}} for n, s in SEARCHES.items()
            }
        registry: Mapping[str, Entry] = DATASETS if what == "datasets" else MODELS
        return {
            name: {"summary": entry.summary, "paper": entry.paper, "fields": _fields(entry)}
            for name, entry in registry.items()
        }

    def submit(self, spec: "SweepSpec") -> SweepInfo:
        raise ServiceError(
            f"`{spec.name}` should be submitted to a service, by --server URL or PARETOIB_SERVER; "
            "found neither. `paretoib serve` starts one; `paretoib sweep` runs it in this process"
        )

    def run(self, spec: "SweepSpec", *, on_progress: "OnProgress") -> Front:
        from jobs.sweep import run_sweep

        return run_sweep(spec, on_progress=on_progress)

    def resume(self, info: SweepInfo, *, on_progress: "OnProgress") -> Front:
        from jobs.sweep import resume_sweep

        return resume_sweep(info.id, on_progress=on_progress)

    def watch(self, info: SweepInfo, *, on_progress: "OnProgress") -> Front | None:
        while True:
            began = time.monotonic()
            now, front = self._look(info)
            on_progress(now)
            if now.sweep.status != "running" or now.ended:
                return front
            # A sweep of thousands of trials takes a while to read.
            time.sleep(max(POLL, 4 * (time.monotonic() - began)))

    def cancel(self, info: SweepInfo) -> None:
        from paretoib.tracking import tracker

        tracker().cancel(info.id)

    def _look(self, info: SweepInfo) -> tuple[Progress, Front | None]:
        # Its status first: of one that has ended, all trials are then there.
        found = self._store.find(info.id)
        info, ended = self._seen(found), None
        if found.status == "running" and info.status == "interrupted":
            again = f"paretoib resume {info.id[:8]}"
            ended = f"no sign of life for {STALE_SECONDS:g} s; `{again}` goes on with it"
        ruler = self._store.ruler(info.id)
        records = self._store.records(info.id) if ruler else []
        front = front_of(info, records, ruler) if ruler and records else None
        return Progress.of(info, records, front.hypervolume if front else 0.0, ended), front

    def _seen(self, info: SweepInfo) -> SweepInfo:
        """The sweep as it stands: one whose writer is gone was interrupted, with none to say so."""
        if info.status != "running" or self._store.alive(info.id):
            return info
        # Its writer may have closed it in between.
        again = self._store.find(info.id)
        gone = {"status": "interrupted"}
        return again.model_copy(update=gone) if again.status == "running" else again


def _methods() -> dict[str, dict[str, Any]]:
    from paretoib.objectives import OBJECTIVES
    from paretoib.specs import METHODS
    from paretoib.weighting import WEIGHTINGS

    return {
        name: {
            **method.described,
            "fields": method.own_defaults(
                _fields(OBJECTIVES[method.objective], WEIGHTINGS[method.weighting])
            ),
        }
        for name, method in METHODS.items()
    }


def _fields(*entries: Entry) -> dict[str, dict[str, Any]]:
    params = [param for entry in entries for param in entry.params]
    return {p.name: {"default": p.default, "description": p.doc} for p in params}
