"""The command as a user runs it: in a process of its own, and in this one where that is enough."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from paretoib import cli
from paretoib.settings import settings

PATIENCE = 240  # seconds; Ray takes long to start on a busy machine
SMALL = ("--epochs", "2", "--set", "hidden=[16]", "--set", "latent=4")


@dataclass(frozen=True)
class Ended:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Stdout, which should be one JSON document."""
        document: dict[str, Any] = json.loads(self.out)
        return document


@dataclass(frozen=True)
class Store:
    """A store's folder, and `paretoib` run on it in processes of their own."""

    folder: Path
    started: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def start(self, *arguments: str, workers: int = 1) -> "subprocess.Popen[str]":
        """The command, in a session of its own as in a terminal.

        With one worker, as each has torch to load: most of what so small a sweep costs.
        """
        own = {"PARETOIB_STORE": str(self.folder), "PARETOIB_WORKERS": str(workers)}
        process = subprocess.Popen(
            [sys.executable, "-c", "from paretoib.cli import main; main()", *arguments],
            env={**os.environ, **own, "COLUMNS": "80"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_heed_interrupts,
        )
        self.started.append(process)
        return process

    @staticmethod
    def ended(process: "subprocess.Popen[str]") -> Ended:
        """Wait for a command."""
        out, err = process.communicate(timeout=PATIENCE)
        return Ended(process.returncode, out, err)

    def processes(self) -> list[str]:
        """Command lines of all processes that work for this store, however they were started."""
        marker = f"PARETOIB_STORE={self.folder}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if marker in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found


def _heed_interrupts() -> None:
    """A suite that runs in the background of a shell has Ctrl-C ignored, and hands that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of the test's own; what a test that fails leaves running is ended."""
    store = Store(tmp_path / "store")
    yield store
    for process in store.started:
        if process.poll() is None:
            # Ray's processes end with the one that started them.
            process.kill()


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Callable[[], object]], None]:
    """`wait_for(condition)` returns once the condition holds."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)

    return wait


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Ended, Ended]:
    """A store with the sweeps `linear` (as JSON) and `adaptive`, run side by side."""
    store = Store(tmp_path_factory.mktemp("swept"))
    linear = store.start(
        *("sweep", "--method", "vib", "--trials", "4", "--name", "linear", "--json", *SMALL)
    )
    adaptive = store.start("sweep", "--trials", "6", "--name", "adaptive", *SMALL)
    return store, store.ended(linear), store.ended(adaptive)


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """`run(store, "list", "--json")`: the command in this process, for what needs no Ray."""

    def call(store: Store | Path, *arguments: str, **environment: str) -> Ended:
        folder = store.folder if isinstance(store, Store) else store
        monkeypatch.setenv("PARETOIB_STORE", str(folder))
        monkeypatch.setenv("COLUMNS", "80")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main(arguments)
        captured = capfd.readouterr()
        return Ended(int(end.value.code or 0), captured.out, captured.err)

    yield call
    settings.cache_clear()
