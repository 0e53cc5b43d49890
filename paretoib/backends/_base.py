"""The protocol of backends."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from paretoib.errors import ParetoIBError
from paretoib.records import (
    Comparison,
    Front,
    Importance,
    LogPart,
    OnProgress,
    SweepInfo,
    SweepState,
)

if TYPE_CHECKING:
    from paretoib.specs import SweepSpec

SweepReference = str | SweepInfo
"""A sweep's id, a unique prefix of the id, its name (the newest with that name), or its record."""


def ignore_progress(state: SweepState) -> None:
    """The default `on_progress`, which does nothing."""


class Backend(Protocol):
    """Operations on sweeps.

    `run`, `resume` and `watch` wait until the sweep has ended, and call `on_progress` with each new
    state. They return the front of the sweep. If no trial has ended, the front is None, or has no
    trials if the sweep ran in this process. If the sweep runs in this process, Ctrl-C ends the
    sweep, and the call returns the front. If the sweep runs in another process, Ctrl-C raises
    `KeyboardInterrupt`, and the sweep goes on.

    A method that fails raises a `ParetoIBError`: `NotFoundError` for a sweep that does not exist,
    `StoreError` (local) or `ServiceError` (remote) for a backend that cannot be reached.
    """

    starting: str
    """What `run` and `resume` do until they report the first state, for messages."""

    def find(self, sweep: SweepReference) -> SweepState:
        """The current state of a sweep."""

    def list(self, *, archived: bool = False) -> Sequence[SweepState]:
        """The sweeps, newest first; with `archived` also those that are archived."""

    def front(self, sweep: SweepReference) -> Front:
        """The current front of a sweep; `NotFoundError` before its first trial has ended."""

    def compare(
        self,
        left: SweepReference | Sequence[SweepReference],
        right: SweepReference | Sequence[SweepReference],
    ) -> Comparison:
        """Compare the current fronts of two sides; the sweeps of one side are pooled.

        Raises `ComparisonError` for a side without a finite rate and for sweeps on different data,
        and `ParetoIBError` for a sweep that is named twice.
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
        return compare(left_fronts, right_fronts)

    def importance(self, sweep: SweepReference) -> Importance:
        """Which of the varied fields mattered for which measure of a sweep's trials."""
        from paretoib.search import field_importance

        return field_importance(self.front(sweep))

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

    def delete(self, sweep: SweepReference) -> None:
        """Delete a sweep and its trials until `restore` or, for good, MLflow's `mlflow gc`.

        Raises `StoreError` (local) or `ServiceError` (remote) for a sweep that runs.
        """

    def restore(self, sweep: str) -> SweepState:
        """Undo `delete`; `sweep` is the id, a unique prefix or the name of a deleted sweep."""


def _as_sequence(side: SweepReference | Sequence[SweepReference]) -> Sequence[SweepReference]:
    return [side] if isinstance(side, str | SweepInfo) else side
