"""CONTRIBUTING.md describes the code as it is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
NAMED = re.compile(r"`([\w./]+\.py)`(?:\s+\(`([\w.]+)`\))?")


def test_the_glossary_is_short() -> None:
    """The glossary has at most 40 lines."""
    glossary = TEXT.partition("## Words")[2].partition("\n## ")[0]
    assert 20 < len(glossary.strip().splitlines()) <= 40


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED.findall(TEXT))))
def test_files_and_names_exist(path: str, name: str) -> None:
    """Every file named in CONTRIBUTING.md exists and has the class or function named after it."""
    code = (ROOT / path).read_text()
    for part in name.split("."):
        assert not part or re.search(rf"^\s*(?:def|class) {part}\b", code, re.MULTILINE), name


def test_the_path_of_a_sweep_is_a_list_of_files() -> None:
    """Each step names a file; at least ten of the files have a function or class in brackets."""
    path = TEXT.partition("## The path of a sweep")[2].partition("\n## ")[0]
    steps = re.split(r"\n\d\. ", path)[1:]
    assert len(steps) >= 7
    assert all(NAMED.search(step) for step in steps)
    assert sum(bool(name) for _, name in NAMED.findall(path)) >= 10


def test_the_layers_are_those_of_the_linter() -> None:
    """The lines of the diagram in CONTRIBUTING.md are the layers in pyproject.toml."""
    block = TEXT.partition("never above")[2].split("```")[1].strip().splitlines()
    drawn = [re.split(r"\s{2,}", line)[0].replace(" .", " paretoib.") for line in block]
    linted = (ROOT / "pyproject.toml").read_text().partition("layers = [")[2].partition("]")[0]
    assert drawn == re.findall(r'"([^"]+)"', linted)
