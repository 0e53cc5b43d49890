"""Ports of loopback that nobody has."""

import random
import socket
from contextlib import ExitStack, suppress

HOST = "127.0.0.1"
# Below those that systems give to clients, any of which could take one before a server of ours
# does, and above those that Ray gives its workers.
_QUIET = range(20_000, 32_000)


def free_ports(*preferred: int) -> list[int]:
    """These ports, and free ones in the place of those that are taken or 0."""
    with ExitStack() as open_at_once:
        return [_bound(open_at_once.enter_context(socket.socket()), port) for port in preferred]


def _bound(probe: socket.socket, port: int) -> int:
    # As servers do: a port that one has just left is free.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    while True:
        port = port or random.choice(_QUIET)
        with suppress(OSError):
            probe.bind((HOST, port))
            return port
        port = 0
