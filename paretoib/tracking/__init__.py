"""What is written of a sweep, and where: `tracker()` is the configured store.

MLflow is loaded when a store is opened, not when this package is imported.
"""

from paretoib.errors import NotFoundError, StoreAwayError
from paretoib.tracking import _quiet  # noqa: F401  (before anything can load MLflow)
from paretoib.tracking._journal import JournalReader, JournalTracker
from paretoib.tracking._memory import MemoryTracker
from paretoib.tracking._presence import GONE
from paretoib.tracking._read import front_of, read_front
from paretoib.tracking._tracker import BEAT_EVERY, Ended, File, History, Reader, Ruler, Tracker
from paretoib.tracking._ui import PORT, UI, ui

__all__ = [
    "BEAT_EVERY",
    "GONE",
    "PORT",
    "UI",
    "Ended",
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
    from paretoib.tracking._mlflow import MLflowTracker
    from paretoib.tracking._store import journal_folder

    store = MLflowTracker()
    return JournalTracker(store, journal_folder(store.uri))


def reader() -> Reader:
    """The store that the settings name, to look at: nothing is made, and none yet is an empty one.

    `StoreError` where it cannot be read.
    """
    from paretoib.tracking._mlflow_reading import MLflowReader
    from paretoib.tracking._store import journal_folder

    try:
        store = MLflowReader()
    except NotFoundError:
        return MemoryTracker()
    return JournalReader(store, journal_folder(store.uri))
