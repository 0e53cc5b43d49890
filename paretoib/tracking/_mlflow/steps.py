"""What is drawn of a sweep while its trials end: a step a trial, each once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from paretoib.tracking._tracker import EndedTrial

_KINDS = {"finished": "finished", "stopped": "stopped"}
_COUNTS = [f"trials_{kind}" for kind in ("finished", "stopped", "failed")]


class Steps:
    """A sweep's ended trials in their order, by key, and how many of them are drawn."""

    def __init__(self, ended: Iterable[tuple[str, str]], metrics: Mapping[str, float]) -> None:
        """`ended` are keys and statuses; `metrics` the last of each that the sweep's run has."""
        self._after: dict[str, dict[str, int]] = {}
        self._counts: dict[str, int] = {}
        self._drawn = int(sum(metrics.get(name, 0) for name in _COUNTS))
        for trial, status in ended:
            self.add(trial, status)

    def __contains__(self, trial: str) -> bool:
        return trial in self._after

    def __len__(self) -> int:
        return len(self._after)

    def add(self, trial: str, status: str) -> None:
        """One more trial has ended."""
        name = f"trials_{_KINDS.get(status, 'failed')}"
        self._counts = {**self._counts, name: self._counts.get(name, 0) + 1}
        self._after[trial] = self._counts

    def points(self, ended: Sequence[EndedTrial]) -> Iterator[tuple[str, float, int]]:
        """(name, value, step) of those trials that are not drawn, which then are."""
        for one in ended:
            counts = self._after[one.record.trial]
            step = sum(counts.values())
            if step > self._drawn:
                self._drawn = step
                yield "hypervolume", one.hypervolume, step
                yield from ((name, count, step) for name, count in counts.items())
