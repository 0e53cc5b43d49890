"""Fixtures for all tests: data with two tasks, a browser, an empty store, `paretoib` commands."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from hypothesis import settings as hypothesis

from paretoib import cli
from paretoib.data import DATASETS, DatasetEntry
from paretoib.data._dataset import Dataset, Split
from paretoib.data._load import load_dataset
from paretoib.errors import NotFoundError
from paretoib.records import SweepState
from paretoib.registry import Param
from paretoib.settings import settings
from paretoib.tracking._mlflow.reader import MLflowReader

PATIENCE = 240  # seconds; Ray takes long to start on a busy machine
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# No deadline, because examples take long on a busy machine.
hypothesis.register_profile("paretoib", deadline=None)
hypothesis.load_profile("paretoib")

# The tensors of the tests are small, so one thread is faster than several.
torch.set_num_threads(1)

# For the processes of the tests: threads that spin while they wait would slow other processes.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def load_two_tasks(*, folder: Path, task: str, **params: Any) -> Dataset:  # noqa: ARG001
    """Data set `digits` with two labels: the digit (ten classes), and whether it is above 4.

    With `task="digit"` the digit is the only label.
    """
    digits = load_dataset("digits", params)
    if task == "digit":
        return digits

    def with_two_labels(split: Split) -> Split:
        return Split(split.x, torch.stack([split.y, (split.y > 4).long()], dim=1))

    return replace(
        digits,
        name="two_tasks",
        train=with_two_labels(digits.train),
        validation=with_two_labels(digits.validation),
        test=with_two_labels(digits.test),
        classes=(10, 2),
        tasks=("digit", "large"),
    )


@pytest.fixture
def two_tasks(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a small data set with two tasks, registered for one test."""
    entry = DatasetEntry(
        f"{__name__}:load_two_tasks",
        "digits with two labels",
        tasks=("digit", "large"),
        params=(
            Param("task", Literal["all", "digit"], "all", "the task to learn, or all"),
            *DATASETS["digits"].params,
        ),
    )
    monkeypatch.setitem(DATASETS, "two_tasks", entry)
    return "two_tasks"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium, started once for a module.

    While Playwright is open, its event loop runs in this thread and no other loop can run there.
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
class CommandResult:
    """Exit code, stdout and stderr of a command that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document in stdout."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def messages(self) -> str:
        """Stderr without the lines of progress; a slow machine has more of them."""
        return re.sub(r"(?m)^.+: .+ \d:\d\d elapsed( · about [\d:]+ left)?\n", "", self.err)


_STARTED: "list[subprocess.Popen[str]]" = []  # the commands that `Store.start` has started


@dataclass(frozen=True)
class Store:
    """A store in a folder, and commands on it."""

    folder: Path

    def start(
        self,
        *arguments: str,
        workers: int = 1,
        stderr: int = subprocess.PIPE,
        program: str = "from paretoib.cli import main; main()",
        **environment: str,
    ) -> "subprocess.Popen[str]":
        """Start `paretoib` on this store, in a new session, as a terminal does.

        `program` is the Python code of the new process. The default is one worker, because every
        worker imports torch, which takes longer than the training in a small sweep.
        """
        variables = {"PARETOIB_STORE": str(self.folder), "PARETOIB_WORKERS": str(workers)}
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, **variables, "COLUMNS": "80", **environment},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
            preexec_fn=_accept_signals,
        )
        _STARTED.append(process)
        return process

    def sweep(self) -> SweepState | None:
        """The newest sweep in MLflow, without the journal's trials; None if there is no sweep."""
        try:
            sweeps = MLflowReader(f"sqlite:///{self.folder}/mlflow.db").sweeps()
        except NotFoundError:
            return None
        return sweeps[0] if sweeps else None

    def ended(self) -> int:
        """The number of ended trials of the newest sweep in MLflow."""
        sweep = self.sweep()
        return sweep.trials.ended if sweep else 0

    @staticmethod
    def wait(process: "subprocess.Popen[str]") -> CommandResult:
        """Wait until a command ends."""
        out, err = process.communicate(timeout=PATIENCE)
        return CommandResult(process.returncode, out, err)

    def processes(self) -> list[str]:
        """Command lines of all processes whose PARETOIB_STORE is this store, including Ray's."""
        marker = f"PARETOIB_STORE={self.folder}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if marker in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found

    def remaining_processes(self) -> list[str]:
        """Wait up to 20 seconds until no process is left; return the processes that are left."""
        deadline = time.monotonic() + 20
        while (found := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found


def _accept_signals() -> None:
    """Restore two signals: background jobs of a shell ignore SIGINT, and `nohup` ignores SIGHUP."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def new_store() -> Callable[[Path], Store]:
    """`new_store(folder)` returns a `Store`."""
    return Store


def pytest_runtest_teardown() -> None:
    """Kill the commands that a failed test has left; they would run until the last test."""
    for process in _STARTED:
        if process.poll() is None:
            process.kill()  # Ray's processes end with the process that started them.
            process.wait()
    _STARTED.clear()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store with MLflow's tables and no sweep. Tests copy it.

    A copy saves the two seconds in which MLflow creates its tables.
    """
    from paretoib.tracking._mlflow.tracker import MLflowTracker

    folder = tmp_path_factory.mktemp("empty")
    MLflowTracker(f"sqlite:///{folder}/mlflow.db")
    return folder


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Callable[[], object]], None]:
    """`wait_for(condition)` returns once the condition holds."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"the condition did not hold within {PATIENCE} s"
            time.sleep(0.05)

    return wait


Run = Callable[..., CommandResult]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """`run(store, "list", "--json")` runs a command that needs no Ray, in this process."""

    def call(store: Store | Path, *arguments: str, **environment: str) -> CommandResult:
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
        return CommandResult(int(end.value.code or 0), captured.out, captured.err)

    yield call
    settings.cache_clear()
