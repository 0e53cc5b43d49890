"""Sweeps on a remote service, over HTTP.

Loads neither torch nor Ray nor MLflow: what it needs are records, settings and httpx.
"""

from paretoib.backends._remote import RemoteBackend

__all__ = ["RemoteBackend"]
