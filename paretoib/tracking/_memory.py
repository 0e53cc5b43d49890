"""A tracker in memory: for tests, and for sweeps that need not outlive the process."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import IO
from uuid import uuid4

from paretoib.records import (
    Front,
    ModelFiles,
    RunningPacks,
    Status,
    SweepState,
    TrialCounts,
    TrialRecord,
    Workers,
)
from paretoib.specs import SweepSpec
from paretoib.tracking import _heartbeat
from paretoib.tracking._annotations import check_tags, checked_note
from paretoib.tracking._extension import check_ended, check_next_extension
from paretoib.tracking._lookup import (
    check_not_running,
    check_same_ruler,
    find_deleted,
    find_sweep,
    model_not_kept,
    sweep_not_found,
    taken_over,
    trial_not_found,
)
from paretoib.tracking._state import from_timestamp, with_stale_rule, with_trials
from paretoib.tracking._tracker import EndedTrial, File, History, Ruler

_NOT_ENDED = {"status": "running", "ended": None, "reason": None, "cancel_requested": False}


@dataclass
class _Sweep:
    state: SweepState
    ruler: Ruler | None = None
    models_mb: float | None = None
    heartbeat: dict[str, str] = field(default_factory=dict)
    trials: dict[str, EndedTrial] = field(default_factory=dict)
    front: Front | None = None
    pictures: tuple[File, ...] = ()


class MemoryTracker:
    """Holds sweeps in the memory of this process."""

    def __init__(self) -> None:
        self._sweeps: dict[str, _Sweep] = {}
        self._deleted: dict[str, _Sweep] = {}

    def create(self, spec: SweepSpec) -> SweepState:
        state = SweepState(
            id=uuid4().hex,
            name=spec.name,
            method=spec.method,
            dataset=spec.data.name,
            status="running",
            spec=spec.document,
            trials=TrialCounts(total=spec.trials),
            started=datetime.now(UTC),
        )
        self._sweeps[state.id] = _Sweep(state)
        return state

    def find(self, sweep: str) -> SweepState:
        return find_sweep(sweep, self.sweeps())

    def state(self, sweep_id: str) -> SweepState:
        sweep = self._get(sweep_id)
        last = _heartbeat.last_heartbeat(sweep.heartbeat)
        heartbeat = from_timestamp(last) if last else None
        state = sweep.state.model_copy(update={"heartbeat": heartbeat})
        if sweep.trials:
            trials = list(sweep.trials.values())
            state = with_trials(state, [t.record for t in trials], trials[-1].hypervolume)
        return with_stale_rule(state)

    def sweeps(self) -> list[SweepState]:
        return [self.state(sweep_id) for sweep_id in reversed(self._sweeps)]

    def extend(self, sweep_id: str, spec: SweepSpec) -> SweepState:
        sweep, state = self._get(sweep_id), self.state(sweep_id)
        check_ended(state)
        check_next_extension(sweep_id, state.spec, spec)
        sweep.heartbeat = _heartbeat.heartbeat_tag()
        total = sweep.state.trials.model_copy(update={"total": spec.trials})
        self._change(sweep, spec=spec.document, trials=total, **_NOT_ENDED)
        return self.state(sweep_id)

    def begin(
        self,
        sweep_id: str,
        ruler: Ruler,
        workers: Workers | None = None,
        models_mb: float | None = None,
    ) -> None:
        sweep = self._get(sweep_id)
        check_same_ruler(sweep.ruler or ruler, ruler)
        sweep.ruler, sweep.heartbeat = ruler, _heartbeat.heartbeat_tag()
        sweep.models_mb = sweep.models_mb if models_mb is None else models_mb
        self._change(sweep, workers=workers, **_NOT_ENDED)

    def heartbeat(self, sweep_id: str, packs: RunningPacks | None = None) -> bool:
        sweep = self._get_to_write(sweep_id)
        sweep.heartbeat = _heartbeat.heartbeat_tag()
        self._change(sweep, packs=packs)
        return sweep.state.cancel_requested

    def cancel(self, sweep_id: str) -> None:
        self._change(self._get(sweep_id), cancel_requested=True)

    def ruler(self, sweep_id: str) -> Ruler | None:
        return self._get(sweep_id).ruler

    def add(self, sweep_id: str, trials: Sequence[EndedTrial]) -> None:
        stored = self._get_to_write(sweep_id).trials
        for trial in trials:
            if trial.record.trial not in stored:
                stored[trial.record.trial] = _with_content(trial)

    def drop_models(self, sweep_id: str, trials: Collection[str], reason: str) -> None:
        stored = self._get_to_write(sweep_id).trials
        for key in trials:
            trial = stored.get(key)
            if trial and trial.model and trial.model.file.kept:
                stored[key] = replace(trial, model=trial.model.without_content(reason))

    def records(self, sweep_id: str) -> list[TrialRecord]:
        trials = self._get(sweep_id).trials.values()
        return [trial.record.model_copy(update={"history": {}}) for trial in trials]

    def history(self, sweep_id: str, trial: str) -> History:
        return self._trial(sweep_id, trial).record.history

    def trial_url(self, sweep_id: str, trial: str) -> str | None:
        self._trial(sweep_id, trial)
        return None

    def models(self, sweep_id: str, trial: str | None = None) -> ModelFiles:
        sweep = self._get(sweep_id)
        ended = [t for key, t in sweep.trials.items() if trial in (None, key)]
        files = tuple(t.model.file for t in ended if t.model)
        return ModelFiles(limit_mb=sweep.models_mb, files=files)

    def open_model(self, sweep_id: str, trial: str) -> IO[bytes]:
        ended = self._trial(sweep_id, trial)
        if ended.model and isinstance(ended.model.content, bytes):
            return BytesIO(ended.model.content)
        raise model_not_kept(sweep_id, ended.record, self.models(sweep_id, trial))

    def update(self, sweep_id: str, front: Front) -> None:
        self._get_to_write(sweep_id).front = front

    def flush(self, sweep_id: str) -> None:
        self._get(sweep_id)

    def stop_waiting(self, sweep_id: str) -> None:
        """Do nothing: no call of this tracker waits."""

    def close(
        self,
        sweep_id: str,
        status: Status,
        front: Front | None,
        pictures: Sequence[File],
        reason: str | None = None,
    ) -> None:
        sweep = self._get_to_write(sweep_id)
        sweep.front, sweep.pictures = front or sweep.front, tuple(pictures)
        reason = reason or sweep.state.reason
        self._change(sweep, status=status, ended=datetime.now(UTC), reason=reason, packs=None)

    def archive(self, sweep_id: str, archived: bool) -> None:
        self._change(self._get(sweep_id), archived=archived)

    def set_note(self, sweep_id: str, note: str) -> None:
        self._change(self._get(sweep_id), note=checked_note(note))

    def set_tags(self, sweep_id: str, changes: Mapping[str, str | None]) -> None:
        sweep = self._get(sweep_id)
        check_tags(sweep.state.tags, changes)
        tags = {**sweep.state.tags, **changes}
        kept = {name: value for name, value in sorted(tags.items()) if value is not None}
        self._change(sweep, tags=kept)

    def delete(self, sweep_id: str) -> None:
        check_not_running(self.state(sweep_id))
        self._deleted[sweep_id] = self._sweeps.pop(sweep_id)

    def restore(self, sweep: str) -> SweepState:
        deleted = [_sweep.state for _sweep in reversed(self._deleted.values())]
        sweep_id = find_deleted(sweep, deleted).id
        self._sweeps[sweep_id] = self._deleted.pop(sweep_id)
        return self.state(sweep_id)

    def _change(self, sweep: _Sweep, **fields: object) -> None:
        sweep.state = sweep.state.model_copy(update=fields)

    def _get(self, sweep_id: str) -> _Sweep:
        if sweep_id not in self._sweeps:
            raise sweep_not_found(sweep_id)
        return self._sweeps[sweep_id]

    def _get_to_write(self, sweep_id: str) -> _Sweep:
        """The sweep, for a write; `TakenOverError` if another process has taken it over."""
        sweep = self._get(sweep_id)
        if other := _heartbeat.successor(sweep.heartbeat):
            raise taken_over(sweep_id, other)
        return sweep

    def _trial(self, sweep_id: str, trial: str) -> EndedTrial:
        trials = self._get(sweep_id).trials
        if trial not in trials:
            raise trial_not_found(sweep_id, trial)
        return trials[trial]


def _with_content(trial: EndedTrial) -> EndedTrial:
    """The trial, with the content of its model file in memory."""
    if trial.model and isinstance(trial.model.content, Path):
        model = replace(trial.model, content=trial.model.content.read_bytes())
        return replace(trial, model=model)
    return trial
