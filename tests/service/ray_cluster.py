"""Starts a real Ray cluster of one node on loopback."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from paretoib.cli.serve.ports import free_ports


@dataclass(frozen=True)
class Cluster:
    """A running Ray cluster.

    `jobs` is the address of its Jobs API, `store` the store of its jobs, `environment` holds the
    variables with its token.
    """

    jobs: str
    store: Path
    environment: dict[str, str]


@contextmanager
def ray_head(store: Path) -> Iterator[Cluster]:
    """A Ray head on loopback with token authentication, as the service needs it."""
    gcs, dashboard, agent, agent_grpc, client, metrics = free_ports(0, 0, 0, 0, 0, 0)
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    programs = Path(sys.executable).parent
    # Not pytest's directory: the paths of Ray's sockets must be short.
    scratch = tempfile.mkdtemp(prefix="paretoib-")
    options = {
        "--node-ip-address": "127.0.0.1",
        "--port": gcs,
        "--dashboard-host": "127.0.0.1",
        "--dashboard-port": dashboard,
        "--dashboard-agent-listen-port": agent,
        "--dashboard-agent-grpc-port": agent_grpc,
        "--ray-client-server-port": client,
        "--metrics-export-port": metrics,
        "--min-worker-port": 0,
        "--max-worker-port": 0,
        "--num-cpus": 2,
        # A job joins the last cluster started with its temp directory; a directory of our own keeps
        # it from joining another cluster.
        "--temp-dir": scratch,
    }
    words = [str(word) for option in options.items() for word in option]
    head = subprocess.Popen(
        [programs / "ray", "start", "--head", "--block", "--include-dashboard", "true", *words],
        env={
            **os.environ,
            **token,
            # A job runs the first `python` on the PATH.
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PARETOIB_STORE": str(store),
            # Without this variable, Ray binds to the machine's network address instead of loopback.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert head.stdout is not None
    for line in head.stdout:
        if "Ray runtime started" in line:
            break
    # Read the rest of the output too: the process blocks when the pipe is full.
    reader = threading.Thread(target=head.stdout.read, daemon=True)
    reader.start()
    try:
        yield Cluster(f"http://127.0.0.1:{dashboard}", store, token)
    finally:
        head.terminate()
        head.wait(60)
        reader.join(5)
        shutil.rmtree(scratch, ignore_errors=True)
