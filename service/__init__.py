"""The FastAPI application: sweeps over HTTP, fronts compared in the browser.

`create_app()` makes it; `python -m service` serves it. It holds nothing that lasts: sweeps and
trials are MLflow's, jobs are Ray's.
"""

from service.app import create_app
from service.settings import ServiceSettings, Token

__all__ = ["ServiceSettings", "Token", "create_app"]
