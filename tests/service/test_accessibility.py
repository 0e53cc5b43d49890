"""Accessibility of the pages, checked by axe-core in a real browser."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]}}


@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_have_no_violation_of_accessibility_rules(
    sample: Any, open_browser: Any, viewport: dict[str, int], scheme: str
) -> None:
    """Contrast, names, headings and roles keep the rules of WCAG 2.1 AA on every page."""
    browser = open_browser(sample.served.address, viewport)
    page = browser.page
    page.emulate_media(color_scheme=scheme)
    page.goto("/")
    assert _violations(page) == ""
    browser.sign_in(sample.served.secret)
    left, right = (sample.sweeps[name].id for name in ("a grid of β", "adaptive weights"))
    page.click("#new > summary")
    page.click("#new details > summary")
    assert _violations(page) == ""
    page.goto(f"/sweeps/{left}")
    for section in ("parallel", "importance"):
        page.click(f"#{section} > summary")
    page.wait_for_selector("#importance tbody tr")
    page.wait_for_selector("#parallel .scatterlayer .point")
    page.click("#trials tbody a >> nth=0")
    page.wait_for_selector("#trial h2")
    assert _violations(page) == ""
    page.goto(f"/compare?left={left}&right={right}")
    page.wait_for_selector(".scatterlayer .point")
    assert _violations(page) == ""


def test_a_sweep_is_read_with_the_keyboard_alone(sample: Any, open_browser: Any) -> None:
    """Tab reaches headings, filter, download, trials and sections; Enter works on each."""
    browser = open_browser(sample.served.address)
    browser.sign_in(sample.served.secret)
    page = browser.page
    page.goto(f"/sweeps/{sample.sweeps['a grid of β'].id}")
    page.wait_for_selector("#trials tbody tr")
    page.focus("#trials input")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "download"
    page.keyboard.press("Tab")  # the region that scrolls
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.title") == "trial"
    page.keyboard.press("Enter")
    assert page.get_attribute("#trials th >> nth=0", "aria-sort") == "ascending"
    # The heading that was pressed keeps the focus.
    assert page.evaluate("document.activeElement.title") == "trial"
    page.focus("#trials tbody a >> nth=0")
    page.keyboard.press("Enter")
    page.wait_for_selector("#trial h2")
    page.focus("#importance > summary")
    page.keyboard.press("Enter")
    page.wait_for_selector("#importance tbody tr")


def _violations(page: Any) -> str:
    """A line for each broken rule, with the first element that breaks it."""
    found = Axe().run(page, options=RULES).response["violations"]
    return "\n".join(f"{rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in found)
