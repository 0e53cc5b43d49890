"""Free ports on loopback."""

import random
import socket
from contextlib import ExitStack, suppress

from paretoib.errors import ParetoIBError

HOST = "127.0.0.1"
# These ports are above the ports of Ray's workers and below the ephemeral ports, which the system
# gives to clients: a client could take an ephemeral port before our server binds it.
_CANDIDATES = range(20_000, 32_000)


def free_ports(*preferred: int) -> list[int]:
    """The preferred ports; a port that is taken, or 0, is replaced by a free one."""
    with ExitStack() as sockets:
        return [_bound_port(sockets.enter_context(socket.socket()), port) for port in preferred]


def check_port(port: int | None) -> None:
    """Raise `ParetoIBError` if the requested port is taken."""
    if port and free_ports(port) != [port]:
        raise ParetoIBError(f"--port: should be a free port; found {port}, which is taken")


def _bound_port(probe: socket.socket, port: int) -> int:
    # With this option, which servers set too, a port that was closed a moment ago counts as free.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    while True:
        port = port or random.choice(_CANDIDATES)
        with suppress(OSError):
            probe.bind((HOST, port))
            return port
        port = 0
