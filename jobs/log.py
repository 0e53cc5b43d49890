"""The log of a sweep, which the process of the sweep writes to a file or to stderr."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

_LOGGERS = ("jobs", "paretoib")
_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_log = logging.getLogger(__name__)


@contextmanager
def log_to_file(path: Path) -> Iterator[None]:
    """Append the log records of the block to a file.

    If the file cannot be opened, the sweep runs without a log.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        _log.warning("the sweep has no log: cannot write %s: %s", path, error.strerror)
        yield
        return
    levels = {name: logging.getLogger(name).getEffectiveLevel() for name in _LOGGERS}
    with closing(handler), _logged_by(handler, _Outside(levels)):
        yield


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Print the log records of the block on stderr, which Ray or `paretoib submit` keeps."""
    with _logged_by(logging.StreamHandler(sys.stderr)):
        yield


class _Outside(logging.Handler):
    """Passes on the records that the root logger would get if the sweep had no log of its own.

    `levels` are the effective levels of our loggers outside the block.
    """

    def __init__(self, levels: Mapping[str, int]) -> None:
        super().__init__()
        self._levels = levels

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= self._levels[record.name.partition(".")[0]]:
            logging.getLogger().callHandlers(record)


@contextmanager
def _logged_by(*handlers: logging.Handler) -> Iterator[None]:
    """Send records of our loggers, from level INFO on, to these handlers and not to the root."""
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
