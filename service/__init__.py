"""The FastAPI application: submits sweeps to Ray and serves fronts as JSON and HTML.

`create_app()` builds the application and `python -m service` runs it. The application stores
nothing: sweeps and trials are in MLflow, jobs in Ray.
"""

from service.app import create_app
from service.settings import ServiceSettings, Token

__all__ = ["ServiceSettings", "Token", "create_app"]
