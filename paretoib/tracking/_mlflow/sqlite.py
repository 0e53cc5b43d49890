"""The runs of a store in SQLite, read from MLflow's tables without importing MLflow."""

import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from paretoib.tracking._mlflow.location import sqlite_reading_uri
from paretoib.tracking._mlflow.runs import Condition, StoredRun

# The versions of MLflow's tables (Alembic revisions) that this module reads: that of MLflow 3.17.
# A test compares this module with MLflow's client for the installed version.
REVISIONS = frozenset({"dc11669786a5"})

_COLUMNS = (
    "run_uuid, name, experiment_id, status, lifecycle_stage, start_time, end_time, artifact_uri"
)
_TIMEOUT = 20  # seconds to wait for a lock, as MLflow does
_RUN_NAME = "mlflow.runName"


def sqlite_runs(path: Path, address: str) -> "SqliteRuns | None":
    """The runs in an SQLite file; None if the version of its tables is unknown.

    None also stands for a file that SQLite cannot read: MLflow's client reports the reason.
    `address` is the store's address for MLflow.
    """
    runs = SqliteRuns(path, address)
    return runs if runs.revision() in REVISIONS else None


class SqliteRuns:
    """The runs of an SQLite file with MLflow's tables. Each call opens its own connection."""

    failures: tuple[type[Exception], ...] = (sqlite3.Error, OSError)

    def __init__(self, path: Path, address: str) -> None:
        self._path = path
        self._address = address

    def revision(self) -> str | None:
        """The version of the tables; None if it cannot be read."""
        try:
            with self._connection() as database:
                versions = database.execute("SELECT version_num FROM alembic_version").fetchall()
        except sqlite3.Error:
            return None
        return versions[0][0] if len(versions) == 1 else None

    def get(self, run_id: str) -> StoredRun | None:
        runs = self._read("run_uuid = ?", [run_id])
        return runs[0] if runs else None

    def search(self, experiment_ids: Sequence[str], condition: Condition) -> Sequence[StoredRun]:
        terms = [f"experiment_id IN ({', '.join('?' * len(experiment_ids))})"]
        terms.append(f"lifecycle_stage = '{_stage(condition.active)}'")
        values: list[object] = [int(experiment_id) for experiment_id in experiment_ids]
        if condition.running is not None:
            terms.append(f"status {'=' if condition.running else '!='} 'RUNNING'")
        for pair in condition.tags.items():
            terms.append("run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)")
            values += pair
        return self._read(" AND ".join(terms), values)

    def experiments(self, prefix: str, *, active: bool = True) -> Mapping[str, str]:
        query = (
            "SELECT experiment_id, name FROM experiments "
            "WHERE substr(name, 1, ?) = ? AND lifecycle_stage = ?"
        )
        with self._connection() as database:
            found = database.execute(query, (len(prefix), prefix, _stage(active))).fetchall()
        return {str(experiment_id): name for experiment_id, name in found}

    def open_artifact(self, run: StoredRun, name: str) -> IO[bytes]:
        # Only MLflow's client reads every kind of storage.
        from paretoib.tracking._mlflow.client import ClientRuns

        return ClientRuns(self._address).open_artifact(run, name)

    def _read(self, condition: str, values: Sequence[object]) -> list[StoredRun]:
        """The runs that meet a condition on the table `runs`, newest first."""
        chosen = f"SELECT run_uuid FROM runs WHERE {condition}"
        tags: defaultdict[str, dict[str, str]] = defaultdict(dict)
        metrics: defaultdict[str, dict[str, float]] = defaultdict(dict)
        with self._connection() as database:
            runs = database.execute(
                f"SELECT {_COLUMNS} FROM runs WHERE {condition} ORDER BY start_time DESC, run_uuid",
                values,
            ).fetchall()
            for run_id, name, text in database.execute(
                f"SELECT run_uuid, key, value FROM tags WHERE run_uuid IN ({chosen})", values
            ):
                tags[run_id][name] = text
            for run_id, name, value, is_nan in database.execute(
                "SELECT run_uuid, key, value, is_nan FROM latest_metrics "
                f"WHERE run_uuid IN ({chosen})",
                values,
            ):
                metrics[run_id][name] = math.nan if is_nan else value
        return [
            StoredRun(
                id=run_id,
                name=name or tags[run_id].get(_RUN_NAME, name),
                experiment_id=str(experiment_id),
                status=status,
                active=stage == _stage(True),
                start_time=start_time,
                end_time=end_time,
                artifact_uri=artifact_uri,
                tags=tags[run_id],
                metrics=metrics[run_id],
            )
            for (
                run_id,
                name,
                experiment_id,
                status,
                stage,
                start_time,
                end_time,
                artifact_uri,
            ) in runs
        ]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection in one transaction, so that all its queries see the same state."""
        address = sqlite_reading_uri(self._path)
        with closing(sqlite3.connect(address, timeout=_TIMEOUT, uri=True)) as database:
            database.execute("BEGIN")
            yield database


def _stage(active: bool) -> str:
    return "active" if active else "deleted"
