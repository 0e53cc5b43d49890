"""Links and commands of the documentation."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from paretoib.cli import app
from paretoib.cli._inspect import repeat_against
from tests.docs.reference import ROOT, pages

PAGES = [*sorted(ROOT.glob("*.md")), *ROOT.glob("deploy/*.md"), *ROOT.glob("examples/*/*.md")]
PAGES += pages()
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    """The path of a page in the repository."""
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_resolve(page: Path) -> None:
    """The file of a relative link exists, and its anchor is a heading of this file."""
    for path, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
        if "://" in path:
            continue
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


def commands(page: Path) -> Iterator[str]:
    """The lines of a page's code blocks that call paretoib."""
    for language, block in BLOCK.findall(page.read_text()):
        if language in ("", "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                if match := re.search(r"^\s*(?:\w+=\S+ )*(paretoib [a-z].*)", line):
                    yield match[1]


@pytest.mark.parametrize("page", [page for page in PAGES if [*commands(page)]], ids=name_of)
def test_commands_are_accepted(page: Path) -> None:
    """The parser accepts every command, flag and value of a page, and every sweep is valid."""
    root: Any = typer.main.get_command(app)
    for line in commands(page):
        words = shlex.split(line, comments=True)[1:]
        end = next((i for i, word in enumerate(words) if word in (">", "|", "&")), len(words))
        name, *arguments = repeat_against(words[:end])
        command = root.commands[name]
        context = command.make_context(name, arguments)
        # The plugin is not installed here, and files of arrays are missing; tests/examples and
        # tests/cli run these sweeps.
        if (
            "dry_run" in context.params
            and not context.params["config"]
            and "plugin" not in str(page)
            and "npz:" not in line
        ):
            exit_code = command.invoke(command.make_context(name, [*arguments, "--dry-run"]))
            assert not exit_code, line
