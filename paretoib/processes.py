"""The environment of child processes: proxies, the import path, and a folder for sockets."""

import os
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path

from paretoib.errors import ParetoIBError

# The path of a socket may have 107 characters. Ray needs up to 64 of them below the temp folder.
LONGEST_TEMP_FOLDER = 40
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

# Without this variable, Python would import a `jobs.py` or `torch.py` in the working directory
# instead of the package.
SAFE_PATH = {"PYTHONSAFEPATH": "1"}


def bypass_proxies_for_loopback(environment: MutableMapping[str, str] = os.environ) -> None:
    """If a proxy is set, add loopback to `no_proxy`: a proxy cannot reach our loopback."""
    if not any(name.lower().endswith("_proxy") for name in environment):
        return
    configured = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host.strip() for host in configured.split(",") if host.strip()]
    hosts += [host for host in _LOOPBACK if host not in hosts]
    # Some libraries read only `no_proxy`, others only `NO_PROXY`.
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
    """A temp folder whose path is short enough for sockets: the default one, or else /tmp.

    The default folder of a batch system may have a long path. Raises `ParetoIBError` if /tmp is
    needed but cannot be written.
    """
    default = Path(tempfile.gettempdir())
    if len(str(default)) <= LONGEST_TEMP_FOLDER:
        return default
    short = Path("/tmp")
    if not os.access(short, os.W_OK | os.X_OK):
        raise ParetoIBError(
            f"TMPDIR should have at most {LONGEST_TEMP_FOLDER} characters, because it holds "
            f"sockets; found {default}"
        )
    return short
