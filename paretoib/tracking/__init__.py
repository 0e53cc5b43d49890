"""The store of sweeps. `tracker()` opens the configured store to write, `reader()` to read.

MLflow is imported when a store is opened, not when this package is imported.
"""

from typing import TYPE_CHECKING

from paretoib.errors import NotFoundError, StoreUnavailableError
from paretoib.tracking._extension import check_ended, extended_spec
from paretoib.tracking._front import front_of, no_front, read_front
from paretoib.tracking._heartbeat import STALE_SECONDS
from paretoib.tracking._journal.tracker import JournalReader, JournalTracker
from paretoib.tracking._logs import TAIL, log_part, log_path, read_log
from paretoib.tracking._lookup import find_sweep
from paretoib.tracking._memory import MemoryTracker
from paretoib.tracking._mlflow import environment  # noqa: F401  (set before MLflow is imported)
from paretoib.tracking._mlflow.ui import MLFLOW_PORT, UI, ui
from paretoib.tracking._state import with_trials
from paretoib.tracking._tracker import (
    HEARTBEAT_SECONDS,
    EndedTrial,
    File,
    History,
    Reader,
    Ruler,
    Tracker,
    TrialModel,
)

if TYPE_CHECKING:
    from paretoib.tracking._mlflow.submissions import SubmissionTracker as SubmissionTracker

__all__ = [
    "HEARTBEAT_SECONDS",
    "MLFLOW_PORT",
    "STALE_SECONDS",
    "TAIL",
    "UI",
    "EndedTrial",
    "File",
    "History",
    "JournalReader",
    "JournalTracker",
    "MemoryTracker",
    "Reader",
    "Ruler",
    "StoreUnavailableError",
    "Tracker",
    "TrialModel",
    "check_ended",
    "extended_spec",
    "find_sweep",
    "front_of",
    "log_part",
    "log_path",
    "no_front",
    "read_front",
    "read_log",
    "reader",
    "submission_tracker",
    "tracker",
    "ui",
    "with_journals",
    "with_trials",
]


def tracker() -> Tracker:
    """The configured store, opened to write through a journal.

    Raises `StoreError` if the store cannot be opened.
    """
    from paretoib.tracking._mlflow.location import journal_folder
    from paretoib.tracking._mlflow.tracker import MLflowTracker

    store = MLflowTracker()
    return JournalTracker(store, journal_folder(store.uri))


def reader() -> Reader:
    """The configured store, opened to read. A missing SQLite store is empty, and is not created.

    Raises `StoreError` if the store cannot be read.
    """
    from paretoib.tracking._mlflow.location import journal_folder
    from paretoib.tracking._mlflow.reader import MLflowReader

    try:
        store = MLflowReader()
    except NotFoundError:
        return MemoryTracker()
    return JournalReader(store, journal_folder(store.uri))


def submission_tracker(ui_url: str | None = None) -> "SubmissionTracker":
    """The configured store, opened by a service that submits sweeps to a cluster.

    Links start with `ui_url`, the address of MLflow's UI; "" for no links, None for the default
    address. Raises `StoreError` if the store cannot be opened.
    """
    from paretoib.tracking._mlflow.submissions import SubmissionTracker

    return SubmissionTracker(ui_url=ui_url)


def with_journals(store: "SubmissionTracker") -> Tracker:
    """The store, with the trials in this machine's journals."""
    from paretoib.tracking._mlflow.location import journal_folder

    return JournalTracker(store, journal_folder(store.uri))
