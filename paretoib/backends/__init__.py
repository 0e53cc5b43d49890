"""Where sweeps run and are stored: this machine or a service, behind one `Backend` protocol.

Importing this package loads none of pydantic, torch, Ray and MLflow.
"""

from typing import TYPE_CHECKING

from paretoib.lazy import lazy_names

if TYPE_CHECKING:
    from paretoib.backends._base import Backend as Backend
    from paretoib.backends._base import Best as Best
    from paretoib.backends._base import SweepReference as SweepReference
    from paretoib.backends._remote import RemoteBackend as RemoteBackend

__all__ = ["Backend", "Best", "RemoteBackend", "SweepReference", "connect"]

__getattr__ = lazy_names(
    __name__,
    {
        "Backend": "_base",
        "Best": "_base",
        "SweepReference": "_base",
        "RemoteBackend": "_remote",
    },
)


def connect(server: str | None = None) -> "Backend":
    """The backend for a service at this URL, or for this machine.

    None stands for the URL in the settings (`PARETOIB_SERVER`); an empty URL stands for this
    machine. The token for a service comes from the settings (`PARETOIB_TOKEN`).

    Raises:
        ServiceError: the URL or the token cannot be used.
    """
    from paretoib.settings import settings

    url = settings().server if server is None else server
    if url:
        from paretoib.backends._remote import RemoteBackend

        return RemoteBackend(url)
    from paretoib.backends._local import LocalBackend

    return LocalBackend()
