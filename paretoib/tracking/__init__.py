"""What is written of a sweep, and where: `tracker()` is the configured store.

MLflow is loaded when a store is opened, not when this package is imported.
"""

from paretoib.errors import NotFoundError, StoreAwayError
from paretoib.tracking._front import front_of, read_front
from paretoib.tracking._heartbeat import STALE_SECONDS
from paretoib.tracking._journal.tracker import JournalReader, JournalTracker
from paretoib.tracking._memory import MemoryTracker
from paretoib.tracking._mlflow import environment as _quiet  # noqa: F401  (before anything can load MLflow)
from paretoib.tracking._mlflow.ui import PORT, UI, ui
from paretoib.tracking._tracker import (
    HEARTBEAT_SECONDS,
    EndedTrial,
    File,
    History,
    Reader,
    Ruler,
    Tracker,
)

__all__ = [
    "HEARTBEAT_SECONDS",
    "PORT",
    "STALE_SECONDS",
    "UI",
    "EndedTrial",
    "File",
    "History",
    "JournalTracker",
    "MemoryTracker",
    "Reader",
    "Ruler",
    "StoreAwayError",
    "Tracker",
    "front_of",
    "read_front",
    "reader",
    "tracker",
    "ui",
]


def tracker() -> Tracker:
    """The store that the settings name, opened to be written, through a journal.

    `StoreError` where it cannot be.
    """
    from paretoib.tracking._mlflow.location import journal_folder
    from paretoib.tracking._mlflow.tracker import MLflowTracker

    store = MLflowTracker()
    return JournalTracker(store, journal_folder(store.uri))


def reader() -> Reader:
    """The store that the settings name, to look at: nothing is made, and none yet is an empty one.

    `StoreError` where it cannot be read.
    """
    from paretoib.tracking._mlflow.location import journal_folder
    from paretoib.tracking._mlflow.reader import MLflowReader

    try:
        store = MLflowReader()
    except NotFoundError:
        return MemoryTracker()
    return JournalReader(store, journal_folder(store.uri))
