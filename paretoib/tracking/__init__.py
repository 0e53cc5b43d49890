"""What is written of a sweep, and where: `tracker()` is the configured store.

MLflow is loaded when a store is opened, not when this package is imported.
"""

from paretoib.tracking import _quiet  # noqa: F401  (before anything can load MLflow)
from paretoib.tracking._memory import MemoryTracker
from paretoib.tracking._read import front_of, read_front
from paretoib.tracking._tracker import Picture, Ruler, Tracker
from paretoib.tracking._ui import PORT, UI, ui

__all__ = [
    "PORT",
    "UI",
    "MemoryTracker",
    "Picture",
    "Ruler",
    "Tracker",
    "front_of",
    "read_front",
    "tracker",
    "ui",
]


def tracker() -> Tracker:
    """The store that the settings name, opened; `StoreError` where it cannot be."""
    from paretoib.tracking._mlflow import MLflowTracker

    return MLflowTracker()
