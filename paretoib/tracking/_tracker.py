"""The protocols of stores: `Reader` to read sweeps and trials, `Tracker` to write them too."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from paretoib.records import (
    Front,
    ModelFile,
    ModelFiles,
    ReferencePoint,
    RunningPacks,
    Status,
    SweepState,
    TrialRecord,
    Workers,
)
from paretoib.specs import SweepSpec

HEARTBEAT_SECONDS = 5.0  # between two heartbeats of a sweep's writer

History = Mapping[str, tuple[float | None, ...]]
Tags = Mapping[str, str]


@dataclass(frozen=True)
class Ruler:
    """The reference point and the label entropy of a sweep; fixed when the sweep begins."""

    reference: ReferencePoint
    label_entropy_bits: float


@dataclass(frozen=True)
class TrialModel:
    """The model file of a trial that is written to a store.

    `content` is the content of the file, or the path of a copy; None for a file that is not kept.
    """

    file: ModelFile
    content: bytes | Path | None = field(default=None, repr=False)

    def without_content(self, reason: str) -> "TrialModel":
        """The model of a file that is not kept, for this reason."""
        return TrialModel(self.file.model_copy(update={"missing": reason}))


@dataclass(frozen=True)
class EndedTrial:
    """An ended trial, the sweep's hypervolume after it (bits²), and its model file, if any."""

    record: TrialRecord
    hypervolume: float
    model: TrialModel | None = None


@dataclass(frozen=True)
class File:
    """A file of a sweep or a trial, such as `front.html`."""

    name: str
    content: bytes


class Reader(Protocol):
    """A store of sweeps and their trials, read-only.

    An implementation raises `NotFoundError` for a sweep that the store does not hold and
    `StoreError` for a store that cannot be read, each with one line of text. A `StoreError` is a
    `StoreUnavailableError` if the same call may succeed later. `records` returns each trial once,
    in the order in which trials were added.
    """

    def find(self, sweep: str) -> SweepState:
        """The sweep with this id, name (the newest of several), or unique id prefix.

        A prefix has 4 characters or more. An archived sweep is found by its name only if no other
        sweep has this name.
        """

    def state(self, sweep_id: str) -> SweepState:
        """The sweep with this id."""

    def sweeps(self) -> list[SweepState]:
        """All sweeps, also archived ones, newest first."""

    def ruler(self, sweep_id: str) -> Ruler | None:
        """The ruler; None before the sweep has begun."""

    def records(self, sweep_id: str) -> list[TrialRecord]:
        """The ended trials, without their histories."""

    def history(self, sweep_id: str, trial: str) -> History:
        """The whole history of one trial; empty for a trial that ended before its first epoch.

        Raises `NotFoundError` for a trial that has not ended in this sweep.
        """

    def trial_url(self, sweep_id: str, trial: str) -> str | None:
        """The URL of an ended trial in MLflow's UI; None if the store gives no links.

        Raises `NotFoundError` for a trial that has not ended in this sweep.
        """

    def models(self, sweep_id: str, trial: str | None = None) -> ModelFiles:
        """The model files of the sweep's trials, or of one trial, and which of them are kept."""

    def open_model(self, sweep_id: str, trial: str) -> IO[bytes]:
        """The model file of a trial, open to be read.

        Raises `NotFoundError` for a trial that has not ended in this sweep, and, with the reason,
        for a trial whose model is not kept.
        """


class Tracker(Reader, Protocol):
    """A store of sweeps and their trials, to write.

    An implementation guarantees what `Reader` demands and, in addition: data that a method has
    written survive the process once the method returns. A trial is stored completely or not at all.
    A failed write raises `StoreError`. A sweep has one writer at a time; any number of processes
    may read it. After a pause, a writer may find that another process has begun its sweep. Then
    `heartbeat`, `add`, `update` and `close` raise `TakenOverError` and write nothing.
    """

    def create(self, spec: SweepSpec) -> SweepState:
        """Create a sweep with status running."""

    def extend(self, sweep_id: str, spec: SweepSpec) -> SweepState:
        """Replace the spec of a sweep that has ended by `spec`, which extends it.

        The status is running afterwards, as after `begin`, which this process should call next. So
        a sweep whose process is killed in between can be resumed.

        Raises `StoreError` for a running sweep, while another process writes the sweep, and if
        another extension was stored since `spec` was made.
        """

    def begin(
        self,
        sweep_id: str,
        ruler: Ruler,
        workers: Workers | None = None,
        models_mb: float | None = None,
    ) -> None:
        """Fix the ruler and set the status to running, also for a sweep that had ended.

        `workers` are those of this process; None for a sweep that trains without Ray. `models_mb`
        is the limit on the size of the sweep's model files; None leaves the last limit.

        Raises `StoreError` if `ruler` differs from the stored ruler, or while another process
        writes the sweep.
        """

    def heartbeat(self, sweep_id: str, packs: RunningPacks | None = None) -> bool:
        """Write a heartbeat; returns whether a cancellation was requested since `begin`.

        `packs` are the packs in training, which readers see until the next heartbeat.
        """

    def cancel(self, sweep_id: str) -> None:
        """Ask the sweep's writer to end the sweep, on whichever machine it runs."""

    def add(self, sweep_id: str, trials: Sequence[EndedTrial]) -> None:
        """Add the ended trials of a pack, in order. A trial that the store holds is skipped.

        Raises `ModelNotStoredError` if a model file cannot be written. Its trial can be added
        without the content of the file.
        """

    def drop_models(self, sweep_id: str, trials: Collection[str], reason: str) -> None:
        """Delete the model files of these trials, which `models` then lists with the reason.

        Trials without a kept file are skipped.
        """

    def update(self, sweep_id: str, front: Front) -> None:
        """Replace the front of a running sweep."""

    def flush(self, sweep_id: str) -> None:
        """Wait until every reader sees the trials that were added."""

    def stop_waiting(self, sweep_id: str) -> None:
        """End every current and later wait for an unavailable store.

        Signal handlers call it, so it may interrupt any other method.
        """

    def close(
        self,
        sweep_id: str,
        status: Status,
        front: Front | None,
        pictures: Sequence[File],
        reason: str | None = None,
    ) -> None:
        """End the sweep: write the status, the pictures and, if given, the front and the reason.

        `begin` removes the reason.
        """

    def archive(self, sweep_id: str, archived: bool) -> None:
        """Mark a sweep as archived, or remove the mark."""

    def set_note(self, sweep_id: str, note: str) -> None:
        """Replace the note of a sweep; an empty text removes it.

        Raises `ParetoIBError` for an invalid note.
        """

    def set_tags(self, sweep_id: str, changes: Mapping[str, str | None]) -> None:
        """Set tags of a sweep; the value None removes a tag.

        Raises `ParetoIBError` for an invalid or reserved name, an invalid value, and a tag to
        remove that the sweep does not have.
        """

    def delete(self, sweep_id: str) -> None:
        """Delete a sweep and its trials, so that `restore` can bring them back.

        Raises `StoreError` for a running sweep, and while another process writes the sweep.
        """

    def restore(self, sweep: str) -> SweepState:
        """Undo `delete`; `sweep` is the id, a unique prefix or the name of a deleted sweep.

        Raises `NotFoundError` if no deleted sweep matches.
        """
