"""A tracker that forgets: for tests, and for sweeps that nobody needs to see again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from paretoib.records import Front, Status, SweepInfo, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking._find import check_same_ruler, not_found, pick
from paretoib.tracking._tracker import Picture, Ruler


@dataclass
class _Sweep:
    info: SweepInfo
    ruler: Ruler | None = None
    records: dict[str, TrialRecord] = field(default_factory=dict)
    hypervolumes: list[float] = field(default_factory=list)
    front: Front | None = None
    pictures: tuple[Picture, ...] = ()


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
        sweep.ruler = ruler
        sweep.info = sweep.info.model_copy(update={"status": "running"})

    def ruler(self, sweep_id: str) -> Ruler | None:
        return self._get(sweep_id).ruler

    def add(self, sweep_id: str, record: TrialRecord, *, hypervolume: float) -> None:
        sweep = self._get(sweep_id)
        if record.trial not in sweep.records:
            sweep.records[record.trial] = record.model_copy(update={"history": {}})
            sweep.hypervolumes.append(hypervolume)

    def records(self, sweep_id: str) -> list[TrialRecord]:
        return list(self._get(sweep_id).records.values())

    def update(self, sweep_id: str, front: Front) -> None:
        self._get(sweep_id).front = front

    def close(
        self, sweep_id: str, status: Status, front: Front | None, pictures: Sequence[Picture]
    ) -> None:
        sweep = self._get(sweep_id)
        sweep.front, sweep.pictures = front or sweep.front, tuple(pictures)
        sweep.info = sweep.info.model_copy(update={"status": status})

    def address(self, sweep_id: str) -> str:
        return f"sweep {self._get(sweep_id).info.id}, in memory"

    def _get(self, sweep_id: str) -> _Sweep:
        if sweep_id not in self._sweeps:
            raise not_found(sweep_id)
        return self._sweeps[sweep_id]
