"""The metrics of a running sweep: one step for each ended trial, logged once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from paretoib.tracking._tracker import EndedTrial

_KINDS = {"finished": "finished", "stopped": "stopped"}
_COUNTS = [f"trials_{kind}" for kind in ("finished", "stopped", "failed")]


class Steps:
    """The trials of a sweep that have ended, in order, and the number of steps already logged."""

    def __init__(self, trials: Iterable[tuple[str, str]], metrics: Mapping[str, float]) -> None:
        """`trials` are keys and statuses; `metrics` are the latest metrics of the sweep's run."""
        self._counts_after: dict[str, dict[str, int]] = {}
        self._counts: dict[str, int] = {}
        self._logged = int(sum(metrics.get(name, 0) for name in _COUNTS))
        for trial, status in trials:
            self.add(trial, status)

    def __contains__(self, trial: str) -> bool:
        return trial in self._counts_after

    def __len__(self) -> int:
        return len(self._counts_after)

    def add(self, trial: str, status: str) -> None:
        """Add an ended trial."""
        name = f"trials_{_KINDS.get(status, 'failed')}"
        self._counts = {**self._counts, name: self._counts.get(name, 0) + 1}
        self._counts_after[trial] = self._counts

    def points(self, trials: Sequence[EndedTrial]) -> Iterator[tuple[str, float, int]]:
        """(name, value, step) for each trial that is not logged yet; marks the trials as logged."""
        for trial in trials:
            counts = self._counts_after[trial.record.trial]
            step = sum(counts.values())
            if step > self._logged:
                self._logged = step
                yield "hypervolume", trial.hypervolume, step
                yield from ((name, count, step) for name, count in counts.items())
