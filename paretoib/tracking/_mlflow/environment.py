"""MLflow's environment variables, set before MLflow is imported, and log levels, set after.

Values that the user has set win. MLflow sends no telemetry and prints nothing, because stdout is
for `--json`. MLflow retries no requests: the journal retries, and a request that is sent twice may
be stored twice.
"""

import logging
import os

from paretoib.processes import bypass_proxies_for_loopback

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
_LEVELS = {
    "mlflow": logging.WARNING,
    "alembic": logging.WARNING,
    # This module of MLflow logs the traceback of every database error that it raises.
    "mlflow.store.db.utils": logging.CRITICAL,
}

for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
# The HTTP clients of MLflow, Ray and paretoib all read `no_proxy`.
bypass_proxies_for_loopback()


def set_log_levels() -> None:
    """Set the levels of MLflow's loggers, which MLflow creates when it is imported."""
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)
