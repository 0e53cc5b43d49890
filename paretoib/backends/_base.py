"""The protocol of backends."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol

from paretoib.errors import NotFoundError, ParetoIBError
from paretoib.records import (
    Comparison,
    Front,
    Importance,
    LogPart,
    ModelFiles,
    OnProgress,
    Pick,
    PickRule,
    SweepInfo,
    SweepState,
    TrialRecord,
)

if TYPE_CHECKING:
    import torch

    from paretoib.specs import Additions, SweepSpec
    from paretoib.trained import TrainedModel

Best = Literal["validation", "lost"]
"""The best trial on the validation split: by accuracy (`validation`), or by lost bits (`lost`)."""

SweepReference = str | SweepInfo
"""A sweep's id, a unique prefix of the id, its name (the newest with that name), or its record."""

NO_TAGS: Mapping[str, str | None] = {}


def ignore_progress(state: SweepState) -> None:
    """The default `on_progress`, which does nothing."""


class Backend(Protocol):
    """Operations on sweeps.

    `run`, `resume`, `extend` and `watch` wait until the sweep has ended, and call `on_progress`
    with each new state. They return the front of the sweep. If no trial has ended, the front is
    None, or has no trials if the sweep ran in this process. If the sweep runs in this process,
    Ctrl-C ends the sweep, and the call returns the front. If the sweep runs in another process,
    Ctrl-C raises `KeyboardInterrupt`, and the sweep goes on.

    A method that fails raises a `ParetoIBError`: `NotFoundError` for a sweep that does not exist,
    `StoreError` (local) or `ServiceError` (remote) for a backend that cannot be reached.
    """

    starting: str
    """What `run`, `resume` and `extend` do until they report the first state, for messages."""

    def find(self, sweep: SweepReference) -> SweepState:
        """The current state of a sweep."""

    def list(
        self, *, archived: bool = False, tags: Mapping[str, str | None] = NO_TAGS
    ) -> Sequence[SweepState]:
        """The sweeps that have all `tags`, newest first; None stands for any value of a tag.

        With `archived` also those that are archived.
        """

    def front(self, sweep: SweepReference, *, where: Sequence[str] = ()) -> Front:
        """The current front of a sweep; `NotFoundError` before its first trial has ended.

        `where` are conditions such as `beta<0.1` and `accuracy>=0.95`: the front has only trials
        that satisfy all of them. Raises `FilterError` for an invalid condition, and if no trial is
        left.
        """

    def compare(
        self,
        left: SweepReference | Sequence[SweepReference],
        right: SweepReference | Sequence[SweepReference],
        *,
        where: Sequence[str] = (),
    ) -> Comparison:
        """Compare the current fronts of two sides; the sweeps of one side are pooled.

        `where` is as for `front`. Raises `ComparisonError` for a side without a finite rate and for
        sweeps on different data, and `ParetoIBError` for a sweep that is named twice.
        """
        from paretoib.fronts import compare

        sides = [_as_sequence(left), _as_sequence(right)]
        states = [[self.find(sweep) for sweep in side] for side in sides]
        ids = [state.id for side in states for state in side]
        for side in states:
            for state in side:
                if ids.count(state.id) > 1:
                    raise ParetoIBError(f"a sweep should be named once; found `{state.name}` twice")
        left_fronts, right_fronts = ([self.front(state) for state in side] for side in states)
        return compare(left_fronts, right_fronts, where=where)

    def pick(
        self,
        sweeps: SweepReference | Sequence[SweepReference],
        *,
        max_rate: float | None = None,
        min_accuracy: float | None = None,
        knee: bool = False,
        prefer: float | None = None,
        where: Sequence[str] = (),
    ) -> Pick:
        """Choose one setting from the current fronts, by one of the four rules of `PickRule`.

        `where` is as for `front`, but its measures are those of the validation split. Raises
        `ChoiceError` unless exactly one rule is given and a setting satisfies it, and
        `ComparisonError` for sweeps on different data.
        """
        from paretoib.fronts import pick

        rule = PickRule.of(max_rate=max_rate, min_accuracy=min_accuracy, knee=knee, prefer=prefer)
        fronts = [self.front(sweep) for sweep in _as_sequence(sweeps)]
        return pick(fronts, rule, where=where)

    def importance(self, sweep: SweepReference) -> Importance:
        """Which of the varied fields mattered for which measure of a sweep's trials."""
        from paretoib.search import field_importance

        return field_importance(self.front(sweep))

    def trials(self, sweep: SweepReference) -> Sequence[TrialRecord]:
        """The ended trials, in the order in which they ended, without their histories."""

    def models(self, sweep: SweepReference) -> ModelFiles:
        """The model files of a sweep's trials, and which of them are kept."""

    def open_model(self, sweep: SweepReference, trial: str) -> IO[bytes]:
        """The model file of the trial with this key, open to be read.

        Raises `NotFoundError`, with the reason, for a trial whose model is not kept.
        """

    def load_model(
        self, sweep: SweepReference, trial: str, *, map_location: "torch.device | str" = "cpu"
    ) -> "TrainedModel":
        """The model of the trial with this key, as `paretoib.load_model` returns it.

        Raises `NotFoundError`, with the reason, for a trial whose model is not kept.
        """
        from paretoib.trained import read_model

        with self.open_model(sweep, trial) as file:
            return read_model(
                file.read(), map_location=map_location, name=f"the model of trial {trial}"
            )

    def export(
        self,
        sweep: SweepReference,
        folder: "str | PathLike[str]",
        *,
        trial: str | None = None,
        best: Best = "validation",
        overwrite: bool = False,
    ) -> TrialRecord:
        """Write the model of a trial to a folder, for `paretoib.load_model`; returns its record.

        `trial` is a trial key or a unique prefix of one; None means the `best` trial on the
        validation split: `validation` has the highest accuracy (the lowest cross-entropy for a
        continuous Y), `lost` the fewest lost bits.

        Raises `NotFoundError` for a trial that has not ended, and, with the reason, for a trial
        whose model is not kept; `ParetoIBError` for a folder that has files, unless `overwrite` is
        set; and `StoreError` for a folder that cannot be written.
        """
        from paretoib.trained import write_folder

        state = self.find(sweep)
        records, files = self.trials(state), self.models(state)
        if trial is None:
            record = _best_trial(state, records, files, best)
        else:
            record = _find_trial(state, records, trial)
        with self.open_model(state, record.trial) as content:
            write_folder(Path(folder), content, record, state.info, overwrite=overwrite)
        return record

    def history(self, sweep: SweepReference, trial: str) -> Mapping[str, Sequence[float | None]]:
        """The history of the ended trial with this key: for each series, one value per epoch."""

    def logs(self, sweep: SweepReference, *, after: int | None = None, tail: int = 1000) -> LogPart:
        """The last `tail` lines of a sweep's log, or the text after the byte `after`.

        A part has at most 256 KiB. Raises `NotFoundError` with the reason for a sweep without a
        log.
        """

    def page(self, sweep: SweepState) -> str:
        """Where people can see a sweep, in one line: a URL, or a command and a URL."""

    def catalogue(self, kind: str) -> Mapping[str, Mapping[str, Any]]:
        """The entries of a catalogue: `methods`, `datasets`, `models`, `searches`, `presets`."""

    def submit(self, spec: "SweepSpec") -> SweepState:
        """Start a sweep in another process (local) or submit it to the service (remote).

        Returns once the sweep has begun (local) or the service has accepted it (remote).
        """

    def run(self, spec: "SweepSpec", *, on_progress: OnProgress = ignore_progress) -> Front | None:
        """Run a sweep to its end."""

    def resume(
        self, sweep: SweepReference, *, on_progress: OnProgress = ignore_progress
    ) -> Front | None:
        """Resume a sweep and run it to its end; its ended trials are not run again.

        A complete sweep is left as it is, and its front is returned.
        """

    def extend(
        self,
        sweep: SweepReference,
        additions: "Additions",
        *,
        on_progress: OnProgress = ignore_progress,
    ) -> Front | None:
        """Add trials, seeds or values to a sweep that has ended, and run the new trials.

        The sweep keeps its id. An interrupted extension continues by `resume`.

        Raises `SpecError` (local) or `ServiceError` (remote) for additions that the sweep cannot
        have, and `StoreError` (local) or `ServiceError` (remote) for a running sweep.
        """

    def watch(
        self, sweep: SweepReference, *, on_progress: OnProgress = ignore_progress
    ) -> Front | None:
        """Follow a sweep that runs in another process to its end."""

    def cancel(self, sweep: SweepReference) -> None:
        """Ask a running sweep to end; its ended trials are kept."""

    def archive(self, sweep: SweepReference, *, undo: bool = False) -> SweepState:
        """Leave a sweep out of lists, or with `undo` list it again.

        An archived sweep is found by its id, and by its name if no other sweep has that name.
        """

    def note(self, sweep: SweepReference, text: str) -> SweepState:
        """Replace the note of a sweep, which MLflow's UI shows too; an empty text removes it.

        Raises `ParetoIBError` for a text that is too long or has control characters other than line
        breaks.
        """

    def tag(self, sweep: SweepReference, changes: Mapping[str, str | None]) -> SweepState:
        """Set tags of a sweep, which MLflow's UI shows too; the value None removes a tag.

        Raises `ParetoIBError` for names that belong to MLflow or paretoib, for invalid names and
        values, and for a tag to remove that the sweep does not have.
        """

    def delete(self, sweep: SweepReference) -> None:
        """Delete a sweep and its trials until `restore` or, for good, MLflow's `mlflow gc`.

        Raises `StoreError` (local) or `ServiceError` (remote) for a sweep that runs.
        """

    def restore(self, sweep: str) -> SweepState:
        """Undo `delete`; `sweep` is the id, a unique prefix or the name of a deleted sweep."""


def with_conditions(front: Front, where: Sequence[str]) -> Front:
    """The front of the trials that satisfy all conditions, as `Backend.front` returns it."""
    if not where:
        return front
    from paretoib.fronts import filtered

    return filtered([front], where)[0]


def _find_trial(sweep: SweepInfo, records: Sequence[TrialRecord], trial: str) -> TrialRecord:
    """The ended trial with this key or unique prefix of a key; raises `NotFoundError`."""
    found = [record for record in records if trial and record.trial.startswith(trial)]
    if len(found) == 1:
        return found[0]
    matches = f"it matches {len(found)} trials" if found else "it matches none"
    raise NotFoundError(
        f"`{trial}` should be the key of one ended trial of sweep {sweep.id[:8]}, or the beginning "
        f"of its key; {matches}. `paretoib front {sweep.id[:8]} --json` shows the keys"
    )


def _best_trial(
    sweep: SweepInfo, records: Sequence[TrialRecord], files: ModelFiles, best: Best
) -> TrialRecord:
    """The best trial on the validation split; `NotFoundError` if its model is not kept."""
    from paretoib.fronts import validation_order

    order = validation_order(records)
    if best == "lost":
        order.sort(key=lambda record: record.validation.lost_bits if record.validation else 0.0)
    kept = {file.trial for file in files.kept}
    if not kept:
        raise NotFoundError(f"sweep {sweep.id[:8]} has no models: {files}")
    if order[0].trial not in kept:
        other = next((record.trial for record in order if record.trial in kept), None)
        raise NotFoundError(
            f"the model of trial {order[0].trial}, the best on the validation split, is not kept: "
            f"{files.why_missing(order[0])}; the best of those that are kept is --trial {other}"
        )
    return order[0]


def _as_sequence(side: SweepReference | Sequence[SweepReference]) -> Sequence[SweepReference]:
    return [side] if isinstance(side, str | SweepInfo) else side
