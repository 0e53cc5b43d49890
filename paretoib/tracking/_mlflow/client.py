"""The runs of any MLflow store, read through MLflow's client. Importing MLflow takes seconds."""

import gc
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mlflow.entities import Run, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking.client import MlflowClient
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from paretoib.tracking._mlflow.environment import set_log_levels
from paretoib.tracking._mlflow.retryable import is_refused_connection
from paretoib.tracking._mlflow.runs import Condition, StoredRun

set_log_levels()

_PAGE = 500  # runs per request
_NO_SUCH_RUN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # MLflow's codes


class ClientRuns:
    """The runs of the store at an address, read through MLflow's client."""

    failures: tuple[type[Exception], ...] = (MlflowException, OSError)

    def __init__(self, address: str) -> None:
        _check_connection(address)
        self.client = MlflowClient(address, address)

    def get(self, run_id: str) -> StoredRun | None:
        try:
            return stored_run(self.client.get_run(run_id))
        except MlflowException as error:
            if error.error_code in _NO_SUCH_RUN:
                return None
            raise

    def search(self, experiment_ids: Sequence[str], condition: Condition) -> Iterator[StoredRun]:
        view = ViewType.ACTIVE_ONLY if condition.active else ViewType.DELETED_ONLY
        token = None
        while True:
            with _garbage_collector_paused():
                runs = self.client.search_runs(
                    [*experiment_ids], condition.filter, view, max_results=_PAGE, page_token=token
                )
            yield from map(stored_run, runs)
            if not (token := runs.token):
                return

    def experiments(self, prefix: str, *, active: bool = True) -> Mapping[str, str]:
        view = ViewType.ACTIVE_ONLY if active else ViewType.DELETED_ONLY
        found = self.client.search_experiments(view, filter_string=f"name LIKE '{prefix}%'")
        return {experiment.experiment_id: experiment.name for experiment in found}

    def open_artifact(self, run: StoredRun, name: str) -> IO[bytes]:
        # The open file stays readable after the folder is deleted.
        with tempfile.TemporaryDirectory() as scratch:
            return Path(self.client.download_artifacts(run.id, name, scratch)).open("rb")


def stored_run(run: Run) -> StoredRun:
    """The record of a run of MLflow's client."""
    info, data = run.info, run.data
    return StoredRun(
        id=info.run_id,
        name=info.run_name,
        experiment_id=info.experiment_id,
        status=info.status,
        active=info.lifecycle_stage == "active",
        start_time=info.start_time,
        end_time=info.end_time,
        artifact_uri=info.artifact_uri,
        tags=data.tags,
        metrics=data.metrics,
    )


def _check_connection(address: str) -> None:
    """Raise SQLAlchemy's error if PostgreSQL refuses the user, the password or the database.

    MLflow would retry for more than a minute.
    """
    if not address.startswith("postgresql"):
        return
    try:
        create_engine(address, poolclass=NullPool).connect().close()
    except DBAPIError as error:
        if is_refused_connection(error):
            raise


@contextmanager
def _garbage_collector_paused() -> Iterator[None]:
    """Pause garbage collection during a request.

    MLflow creates dozens of objects for each run, and collection would double the request's time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
