"""Free ports on loopback."""

import random
import socket
from contextlib import ExitStack, suppress

HOST = "127.0.0.1"
# Between Ray's range for its workers (from 10 002) and the ephemeral ports (from 32 768), so that
# no other process is likely to take a port before our server listens on it.
_PORT_RANGE = range(20_000, 32_000)


def free_ports(*preferred: int) -> list[int]:
    """These ports; a random free port replaces each that is taken or 0."""
    with ExitStack() as stack:
        # All sockets stay open until the end, so that no port is chosen twice.
        return [_bind(stack.enter_context(socket.socket()), port) for port in preferred]


def _bind(probe: socket.socket, port: int) -> int:
    # Servers set this option too: a port that was closed a moment ago counts as free.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    while True:
        port = port or random.choice(_PORT_RANGE)
        with suppress(OSError):
            probe.bind((HOST, port))
            return port
        port = 0
