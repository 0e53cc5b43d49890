"""The log of a sweep, which the process of the sweep writes to a file or to stderr."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOGGERS = ("jobs", "paretoib")
_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_log = logging.getLogger(__name__)


@contextmanager
def log_to_file(path: Path) -> Iterator[None]:
    """Append what happens in the block to a file; without this file, the sweep runs too."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        _log.warning("the sweep has no log: cannot write %s: %s", path, error.strerror)
        yield
        return
    with _logged_by(handler):
        try:
            # Python prints warnings on stderr only while a logger has no handler.
            if logging.lastResort and not logging.getLogger().handlers:
                _add(logging.lastResort)
            yield
        finally:
            if logging.lastResort:
                _remove(logging.lastResort)
            handler.close()


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Print what happens in the block on stderr, which Ray or `paretoib submit` keeps in a file."""
    with _logged_by(logging.StreamHandler(sys.stderr)):
        yield


@contextmanager
def _logged_by(handler: logging.Handler) -> Iterator[None]:
    handler.setFormatter(logging.Formatter(_FORMAT))
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO)
    _add(handler)
    try:
        yield
    finally:
        _remove(handler)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _add(handler: logging.Handler) -> None:
    for name in _LOGGERS:
        logging.getLogger(name).addHandler(handler)


def _remove(handler: logging.Handler) -> None:
    for name in _LOGGERS:
        logging.getLogger(name).removeHandler(handler)
