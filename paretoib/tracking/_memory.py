"""A tracker that forgets: for tests, and for sweeps that nobody needs to see again."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from paretoib.records import Front, Status, SweepInfo, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import _heartbeat as presence
from paretoib.tracking._lookup import check_same_ruler, no_trial, not_found, pick, taken_over
from paretoib.tracking._tracker import EndedTrial, File, History, Ruler


@dataclass
class _Sweep:
    info: SweepInfo
    ruler: Ruler | None = None
    cancelled: bool = False
    created: float = field(default_factory=time.time)
    signs: dict[str, str] = field(default_factory=dict)
    ended: dict[str, EndedTrial] = field(default_factory=dict)
    front: Front | None = None
    pictures: tuple[File, ...] = ()


class MemoryTracker:
    """Keeps sweeps in this process alone."""

    def __init__(self) -> None:
        self._sweeps: dict[str, _Sweep] = {}

    def create(self, spec: SweepSpec) -> SweepInfo:
        info = SweepInfo(
            id=uuid4().hex,
            name=spec.name,
            method=spec.method,
            dataset=spec.data.name,
            status="running",
            spec=spec.document,
        )
        self._sweeps[info.id] = _Sweep(info)
        return info

    def find(self, reference: str) -> SweepInfo:
        return pick(reference, self.sweeps())

    def sweeps(self) -> list[SweepInfo]:
        return [sweep.info for sweep in reversed(self._sweeps.values())]

    def begin(self, sweep_id: str, ruler: Ruler) -> None:
        sweep = self._get(sweep_id)
        check_same_ruler(sweep.ruler or ruler, ruler)
        sweep.ruler, sweep.cancelled, sweep.signs = ruler, False, presence.alive()
        sweep.info = sweep.info.model_copy(update={"status": "running"})

    def heartbeat(self, sweep_id: str) -> bool:
        sweep = self._held(sweep_id)
        sweep.signs = presence.alive()
        return sweep.cancelled

    def cancel(self, sweep_id: str) -> None:
        self._get(sweep_id).cancelled = True

    def alive(self, sweep_id: str) -> bool:
        sweep = self._get(sweep_id)
        return not presence.silent(presence.last_sign(sweep.signs) or sweep.created)

    def ruler(self, sweep_id: str) -> Ruler | None:
        return self._get(sweep_id).ruler

    def add(self, sweep_id: str, ended: Sequence[EndedTrial]) -> None:
        held = self._held(sweep_id).ended
        for one in ended:
            held.setdefault(one.record.trial, one)

    def records(self, sweep_id: str) -> list[TrialRecord]:
        ended = self._get(sweep_id).ended.values()
        return [one.record.model_copy(update={"history": {}}) for one in ended]

    def histories(self, sweep_id: str, trial: str) -> History:
        return self._ended(sweep_id, trial).record.history

    def update(self, sweep_id: str, front: Front) -> None:
        self._held(sweep_id).front = front

    def flush(self, sweep_id: str) -> None:
        self._get(sweep_id)

    def stop_waiting(self, sweep_id: str) -> None:
        """Nothing is ever waited for."""

    def close(
        self, sweep_id: str, status: Status, front: Front | None, pictures: Sequence[File]
    ) -> None:
        sweep = self._held(sweep_id)
        sweep.front, sweep.pictures = front or sweep.front, tuple(pictures)
        sweep.info = sweep.info.model_copy(update={"status": status})

    def address(self, sweep_id: str) -> str:
        return f"sweep {self._get(sweep_id).info.id}, in memory"

    def run_address(self, sweep_id: str, trial: str) -> str:
        return f"trial {self._ended(sweep_id, trial).record.trial} of {self.address(sweep_id)}"

    def _get(self, sweep_id: str) -> _Sweep:
        if sweep_id not in self._sweeps:
            raise not_found(sweep_id)
        return self._sweeps[sweep_id]

    def _held(self, sweep_id: str) -> _Sweep:
        """The sweep, to be written."""
        sweep = self._get(sweep_id)
        if other := presence.successor(sweep.signs):
            raise taken_over(sweep_id, other)
        return sweep

    def _ended(self, sweep_id: str, trial: str) -> EndedTrial:
        ended = self._get(sweep_id).ended
        if trial not in ended:
            raise no_trial(sweep_id, trial)
        return ended[trial]
