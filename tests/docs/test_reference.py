"""The tables of docs/ agree with the code."""

from pathlib import Path

import pytest

from tests.docs.reference import BLOCK, MISSING, ROOT, TABLES, pages, render

PAGES = [page for page in pages() if BLOCK.search(page.read_text())]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tables_are_those_of_the_code(page: Path) -> None:
    """The rows, defaults and descriptions on a page are those of the code."""
    text = page.read_text()
    assert text == render(text), "run `python -m tests.docs.reference`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_columns_that_are_written_by_hand_are_complete(page: Path) -> None:
    """No cell of a page has the text `(fill in)` of a new row."""
    lines = [line for line in page.read_text().splitlines() if MISSING in line]
    assert not lines, f"{page.relative_to(ROOT)}: replace {MISSING}"


def test_every_table_is_on_one_page() -> None:
    """No table is missing, and no table is on two pages."""
    names = [block["name"] for page in PAGES for block in BLOCK.finditer(page.read_text())]
    assert sorted(names) == sorted(TABLES)
