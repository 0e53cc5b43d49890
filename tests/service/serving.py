"""`python -m service` on loopback, for as long as a test needs it."""

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

SECRETS = {"reader": "a token that reads", "writer": "a token that reads and writes"}
NOWHERE = "http://127.0.0.1:9"  # where no Ray answers


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


TOKENS = f"reader:read:{hashed(SECRETS['reader'])},writer:read+write:{hashed(SECRETS['writer'])}"


@dataclass(frozen=True)
class Served:
    """A running service."""

    address: str
    process: "subprocess.Popen[str]"
    log: list[str]

    def client(self, who: str | None = "writer") -> httpx.Client:
        """A client with the token of `reader` or `writer`, or without one."""
        headers = {"Authorization": f"Bearer {SECRETS[who]}"} if who else {}
        return httpx.Client(base_url=self.address, headers=headers, timeout=60)

    @property
    def secret(self) -> str:
        """What a person types to sign in as `writer`."""
        return SECRETS["writer"]


@contextmanager
def serving(
    store: Path, environment: Mapping[str, str] | None = None, /, **settings: str
) -> Iterator[Served]:
    """`python -m service` over a store, known to `reader` and `writer`; more settings by name."""
    configured = {"port": "0", "tokens": TOKENS, "ray_jobs": NOWHERE, **settings}
    variables = {
        **os.environ,
        **(environment or {}),
        "PARETOIB_STORE": str(store),
        **{_variable(name): value for name, value in configured.items()},
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "service"],
        env=variables,
        cwd=store,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    log: list[str] = []
    address = None
    for line in process.stderr:
        log.append(line)
        if found := re.search(r"running on (http://\S+)", line):
            address = found[1]
            break
    assert address is not None, "".join(log)
    # Read on, lest the pipe fill up.
    reading = threading.Thread(target=log.extend, args=(process.stderr,), daemon=True)
    reading.start()
    try:
        yield Served(address, process, log)
    finally:
        process.terminate()
        process.wait(30)
        reading.join(5)
        process.stderr.close()


def _variable(setting: str) -> str:
    library = ("tracking_uri", "ray_address")
    return f"PARETOIB_{'' if setting in library else 'SERVICE_'}{setting.upper()}"
