"""What all tests share."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from hypothesis import settings

from paretoib.data import DATASETS, DatasetEntry
from paretoib.data._dataset import Dataset, Split
from paretoib.data._load import load_dataset
from paretoib.registry import Param

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# A busy machine is no finding.
settings.register_profile("paretoib", deadline=None)
settings.load_profile("paretoib")

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
