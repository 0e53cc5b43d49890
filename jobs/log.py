"""The log of a sweep, which the process of the sweep writes to a file or to stderr."""

import logging
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
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
    with closing(handler), _logged_by(handler, _Outside()):
        yield


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Print what happens in the block on stderr, which Ray or `paretoib submit` keeps in a file."""
    with _logged_by(logging.StreamHandler(sys.stderr)):
        yield


class _Outside(logging.Handler):
    """Passes on the records that a program would get if the sweep had no log of its own."""

    def emit(self, record: logging.LogRecord) -> None:
        root = logging.getLogger()
        if record.levelno >= root.level:
            root.callHandlers(record)


@contextmanager
def _logged_by(*handlers: logging.Handler) -> Iterator[None]:
    """Send records of our loggers, from level INFO on, to these handlers only."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for handler in handlers:
        handler.setFormatter(logging.Formatter(_FORMAT))
    for logger in loggers:
        logger.setLevel(logging.INFO)
        logger.propagate = False
        for handler in handlers:
            logger.addHandler(handler)
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.propagate = propagate
            for handler in handlers:
                logger.removeHandler(handler)
