"""MLflow's manners, set before it is loaded; what a user has set in the environment stays.

It sends nothing home, prints nothing (stdout belongs to `--json`), and does not try a server
again by itself: that is the journal's to do, and what is tried twice may be written twice.
"""

import logging
import os

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
_LEVELS = {
    "mlflow": logging.WARNING,
    "alembic": logging.WARNING,
    # Would print each database error with its traceback, and raise it too.
    "mlflow.store.db.utils": logging.CRITICAL,
}

for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)


def quieten() -> None:
    """Silence MLflow's loggers, which it sets up when it is loaded."""
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)
