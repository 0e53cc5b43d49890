"""What all tests share."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# A busy machine is no finding.
settings.register_profile("paretoib", deadline=None)
settings.load_profile("paretoib")

# Tests work on small tensors, which several threads take longer for than one.
torch.set_num_threads(1)


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
