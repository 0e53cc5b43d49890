"""Runs `python -m service` as a process on loopback."""

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

from paretoib.tokens import token_digest

SECRETS = {"reader": "a token that reads", "writer": "a token that reads and writes"}
NO_RAY = "http://127.0.0.1:9"  # an address without a server
TOKENS = (
    f"reader:read:{token_digest(SECRETS['reader'])},"
    f"writer:read+write:{token_digest(SECRETS['writer'])}"
)


@dataclass(frozen=True)
class Served:
    """A running service; `log` holds the lines that it has written to stderr."""

    address: str
    process: "subprocess.Popen[str]"
    log: list[str]

    def client(self, who: str | None = "writer") -> httpx.Client:
        """A client with the token of `reader` or `writer`, or without a token (None)."""
        headers = {"Authorization": f"Bearer {SECRETS[who]}"} if who else {}
        return httpx.Client(base_url=self.address, headers=headers, timeout=60)

    @property
    def secret(self) -> str:
        """The token of `writer`, to sign in on the pages."""
        return SECRETS["writer"]


@contextmanager
def serving(
    store: Path,
    environment: Mapping[str, str] | None = None,
    /,
    *,
    setup: str | None = None,
    **settings: str,
) -> Iterator[Served]:
    """Run a service on a store, with the tokens `reader` and `writer` and these settings.

    `setup` is Python code that the process of the service runs first.
    """
    program = ["-m", "service"]
    if setup is not None:
        program = ["-c", f"{setup}\nfrom service.__main__ import main\nraise SystemExit(main())"]
    all_settings = {"port": "0", "tokens": TOKENS, "ray_jobs": NO_RAY, **settings}
    variables = {
        **os.environ,
        **(environment or {}),
        "PARETOIB_STORE": str(store),
        **{_variable(name): value for name, value in all_settings.items()},
    }
    process = subprocess.Popen(
        [sys.executable, *program],
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
        if match := re.search(r"running on (http://\S+)", line):
            address = match[1]
            break
    assert address is not None, "".join(log)
    # Read the rest of stderr too: the process blocks when the pipe is full.
    reader = threading.Thread(target=log.extend, args=(process.stderr,), daemon=True)
    reader.start()
    try:
        yield Served(address, process, log)
    finally:
        process.terminate()
        process.wait(30)
        reader.join(5)
        process.stderr.close()


def _variable(setting: str) -> str:
    library = ("tracking_uri", "ray_address")
    return f"PARETOIB_{'' if setting in library else 'SERVICE_'}{setting.upper()}"
