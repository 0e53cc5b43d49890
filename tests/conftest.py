"""What all tests share."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from hypothesis import settings as hypothesis

from paretoib import cli
from paretoib.data import DATASETS, DatasetEntry
from paretoib.data._dataset import Dataset, Split
from paretoib.data._load import load_dataset
from paretoib.registry import Param
from paretoib.settings import settings

PATIENCE = 240  # seconds; Ray takes long to start on a busy machine
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# A busy machine is no finding.
hypothesis.register_profile("paretoib", deadline=None)
hypothesis.load_profile("paretoib")

# Tests work on small tensors, which several threads take longer for than one.
torch.set_num_threads(1)


def load_two_tasks(*, folder: Path, task: str, **params: Any) -> Dataset:  # noqa: ARG001
    """The digits: which it is, of ten, and whether it is above four."""
    digits = load_dataset("digits", params)
    if task == "digit":
        return digits

    def both(split: Split) -> Split:
        return Split(split.x, torch.stack([split.y, (split.y > 4).long()], dim=1))

    return replace(
        digits,
        name="two_tasks",
        train=both(digits.train),
        validation=both(digits.validation),
        test=both(digits.test),
        classes=(10, 2),
        tasks=("digit", "large"),
    )


@pytest.fixture
def two_tasks(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a small data set of two tasks, registered for one test."""
    entry = DatasetEntry(
        f"{__name__}:load_two_tasks",
        "a test's",
        tasks=("digit", "large"),
        params=(
            Param("task", Literal["all", "digit"], "all", "what to tell"),
            *DATASETS["digits"].params,
        ),
    )
    monkeypatch.setitem(DATASETS, "two_tasks", entry)
    return "two_tasks"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, headless.

    A module's own: while Playwright is open its event loop runs in this thread, where no other
    can.
    """
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (apt install chromium)")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


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

    def start(
        self,
        *arguments: str,
        workers: int = 1,
        stderr: int = subprocess.PIPE,
        program: str = "from paretoib.cli import main; main()",
        **environment: str,
    ) -> "subprocess.Popen[str]":
        """The command, in a session of its own as in a terminal; `program` is what runs it.

        With one worker, as each has torch to load: most of what so small a sweep costs.
        """
        own = {"PARETOIB_STORE": str(self.folder), "PARETOIB_WORKERS": str(workers)}
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, **own, "COLUMNS": "80", **environment},
            stdout=subprocess.PIPE,
            stderr=stderr,
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

    def left(self) -> list[str]:
        """`processes()`, once those that go with a process that ended have had time to end."""
        deadline = time.monotonic() + 20
        while (found := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found


def _heed_interrupts() -> None:
    """A suite that runs in the background of a shell has Ctrl-C ignored, and hands that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="session")
def new_store() -> Iterator[Callable[[Path], Store]]:
    """`new_store(folder)`: the command in processes; what a failed test leaves of them is ended."""
    stores: list[Store] = []

    def new(folder: Path) -> Store:
        stores.append(Store(folder))
        return stores[-1]

    yield new
    for process in (process for store in stores for process in store.started):
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
