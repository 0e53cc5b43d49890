"""MLflow's environment variables and log levels, set before MLflow is imported.

Values that the user has set win. MLflow sends no telemetry and prints nothing, as stdout is for
`--json`. It does not retry requests: the journal does, and a request that is sent twice may be
written twice.
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
    # It logs the traceback of every database error that it also raises.
    "mlflow.store.db.utils": logging.CRITICAL,
}

for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)


def set_log_levels() -> None:
    """Silence MLflow's loggers, which MLflow sets up when it is imported."""
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)
