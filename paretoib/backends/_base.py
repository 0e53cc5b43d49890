"""The protocol of backends."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from paretoib.errors import ParetoIBError
from paretoib.records import Comparison, Front, OnProgress, SweepInfo, SweepState

if TYPE_CHECKING:
    from paretoib.specs import SweepSpec

SweepReference = str | SweepInfo
"""A sweep by its id, name (the newest of several) or unique id prefix, or by its record."""


def ignore_progress(state: SweepState) -> None:
    """Do nothing with the progress of a sweep."""


class Backend(Protocol):
    """Sweeps, and the operations on them.

    `run`, `resume` and `watch` return the front when the sweep has ended, and None if no trial has
    ended; meanwhile they call `on_progress` with each new state. Ctrl-C ends a sweep that runs in
    this process, and its front is returned. If the sweep runs elsewhere, Ctrl-C ends only the
    watching, with a `KeyboardInterrupt`.

    Every method raises a subclass of `ParetoIBError`: `NotFoundError` for a sweep that does not
    exist, `StoreError` (local) or `ServiceError` (remote) for a backend that cannot be reached.
    """

    def find(self, sweep: SweepReference) -> SweepState:
        """The current state of a sweep."""

    def list(self) -> Sequence[SweepState]:
        """All sweeps, newest first."""

    def front(self, sweep: SweepReference) -> Front:
        """The current front of a sweep; `NotFoundError` before its first trial has ended."""

    def compare(
        self,
        left: SweepReference | Sequence[SweepReference],
        right: SweepReference | Sequence[SweepReference],
    ) -> Comparison:
        """Compare the current fronts of two sides; the sweeps of one side are pooled.

        `ComparisonError` for a side without a finite rate and for sweeps on different data.
        """
        from paretoib.fronts import compare

        sides = [_as_sequence(left), _as_sequence(right)]
        states = [[self.find(sweep) for sweep in side] for side in sides]
        ids = [state.id for side in states for state in side]
        for side in states:
            for state in side:
                if ids.count(state.id) > 1:
                    raise ParetoIBError(f"a sweep should be named once; found `{state.name}` twice")
        linear, adaptive = ([self.front(state) for state in side] for side in states)
        return compare(linear, adaptive)

    def history(self, sweep: SweepReference, trial: str) -> Mapping[str, Sequence[float | None]]:
        """The history of an ended trial, by its key: one value an epoch under each name."""

    def page(self, sweep: SweepState) -> str:
        """Where people see a sweep: one line to print."""

    def catalogue(self, kind: str) -> Mapping[str, Mapping[str, Any]]:
        """The `methods`, `datasets`, `models` or `searches`, as `paretoib.catalogue` has them."""

    def submit(self, spec: "SweepSpec") -> SweepState:
        """Start a sweep outside this process, and return once it is accepted or has begun."""

    def run(self, spec: "SweepSpec", *, on_progress: OnProgress = ignore_progress) -> Front | None:
        """Run a sweep to its end."""

    def resume(
        self, sweep: SweepReference, *, on_progress: OnProgress = ignore_progress
    ) -> Front | None:
        """Resume a sweep and run it to its end; its ended trials are not run again."""

    def watch(
        self, sweep: SweepReference, *, on_progress: OnProgress = ignore_progress
    ) -> Front | None:
        """Follow a sweep that runs elsewhere to its end."""

    def cancel(self, sweep: SweepReference) -> None:
        """Request a running sweep to end; its ended trials are kept."""


def _as_sequence(side: SweepReference | Sequence[SweepReference]) -> Sequence[SweepReference]:
    return [side] if isinstance(side, str | SweepInfo) else side
