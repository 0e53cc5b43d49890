"""The runs of an MLflow store as this program reads them: a record, a condition and a protocol."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Protocol


@dataclass(frozen=True)
class StoredRun:
    """An MLflow run. Times are in milliseconds since the epoch; `metrics` are the latest values.

    `active` is False for a run that is deleted and that `mlflow gc` has not yet removed.
    """

    id: str
    name: str
    experiment_id: str
    status: str
    active: bool
    start_time: int
    end_time: int | None
    artifact_uri: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Condition:
    """Selects runs that have all these tags.

    `running` also selects by the run's status RUNNING: True for runs that have it, False for the
    others, None for both.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    running: bool | None = None
    active: bool = True

    @property
    def filter(self) -> str:
        """The condition as a filter of MLflow's search; `active` is not part of it."""
        terms = [f"tags.`{name}` = '{value}'" for name, value in self.tags.items()]
        if self.running is not None:
            terms.append(f"attributes.status {'=' if self.running else '!='} 'RUNNING'")
        return " AND ".join(terms)


class Runs(Protocol):
    """The runs of an MLflow store, read-only.

    Every implementation returns what MLflow's client returns. A call that fails raises one of
    `failures`.
    """

    failures: tuple[type[Exception], ...]

    def get(self, run_id: str) -> StoredRun | None:
        """The run with this id, also a deleted run; None if there is none."""

    def search(self, experiment_ids: Sequence[str], condition: Condition) -> Iterable[StoredRun]:
        """The runs of these experiments that meet a condition, newest first."""

    def experiments(self, prefix: str, *, active: bool = True) -> Mapping[str, str]:
        """The ids and names of the experiments whose names have this prefix.

        With `active=False`, only deleted experiments.
        """

    def open_artifact(self, run: StoredRun, name: str) -> IO[bytes]:
        """An artifact that is not in a local folder, open to be read."""
