"""`paretoib ui` and ports that are taken."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def test_a_taken_port_is_refused(run: Run, tmp_path: Path) -> None:
    """The command prints no address, because another program answers there."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run(tmp_path, "ui", "--port", str(port))
    message = f"error: --port: should be a free port; found {port}, which is taken\n"
    assert (result.code, result.out, result.err) == (2, "", message)
