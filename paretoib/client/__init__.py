"""Sweeps on a remote service, over HTTP.

Loads neither torch nor Ray nor MLflow: what it needs are records, settings and httpx.
"""

from paretoib.client._client import Client

__all__ = ["Client"]
