"""What processes inherit: proxies, the import path, and a folder for sockets."""

import os
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path

from paretoib.errors import ParetoIBError

# Ray's longest path of a socket in its temp folder has 64 characters, a socket may have 107.
LONGEST_TEMP_FOLDER = 40
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

# A `jobs.py` or `torch.py` in the working directory is not imported in place of the package.
SAFE_PATH = {"PYTHONSAFEPATH": "1"}


def bypass_proxies_for_loopback(environment: MutableMapping[str, str] = os.environ) -> None:
    """Add loopback to `no_proxy` where a proxy is set: a proxy cannot reach this machine."""
    if not any(name.lower().endswith("_proxy") for name in environment):
        return
    configured = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host.strip() for host in configured.split(",") if host.strip()]
    hosts += [host for host in _LOOPBACK if host not in hosts]
    # Some libraries read the one name, some the other.
    environment["no_proxy"] = environment["NO_PROXY"] = ",".join(hosts)


@contextmanager
def inherited(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the processes that are started in this block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def socket_folder() -> Path:
    """A temp folder whose path is short enough for sockets: the usual one, or else /tmp.

    The temp folders of batch systems may be too long. `ParetoIBError` if /tmp cannot be written.
    """
    usual = Path(tempfile.gettempdir())
    if len(str(usual)) <= LONGEST_TEMP_FOLDER:
        return usual
    short = Path("/tmp")
    if not os.access(short, os.W_OK | os.X_OK):
        raise ParetoIBError(
            f"TMPDIR should have at most {LONGEST_TEMP_FOLDER} characters, because it holds "
            f"sockets; found {usual}"
        )
    return short
