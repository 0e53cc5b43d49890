"""The program in docs/python.md runs unchanged."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import paretoib
from paretoib.errors import NotFoundError
from paretoib.settings import settings

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the documented program ran; its output is in the file `output`."""
    folder = tmp_path_factory.mktemp("python")
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    finished = subprocess.run(
        [sys.executable, "-c", found[1]],
        cwd=folder,
        env={**os.environ, "PARETOIB_STORE": str(folder / "store"), "PARETOIB_WORKERS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    (folder / "output").write_text(finished.stdout)
    return folder


def test_the_program_prints_fronts_and_a_verdict(folder: Path) -> None:
    """The program prints the points of a front, a verdict, a choice and a table of numbers.

    It writes a page and a picture.
    """
    lines = (folder / "output").read_text().splitlines()
    end = next(i for i, line in enumerate(lines) if line.startswith("On digits, "))
    (first, *points), (verdict, volumes, choice, *table) = lines[:end], lines[end:]
    assert re.match(r"vib-digits \([0-9a-f]{8}\), finished: \d of 8 trials on the front, ", first)
    assert len(points) == int(first.split(": ")[1].split()[0])
    assert all("'weighting.beta'" in point for point in points)
    assert verdict.startswith("On digits, ")
    assert volumes.startswith("left=")
    assert re.match(r"β [\d.]+ of vib-digits \(1 seed, trial \w+\): rate [\d.]+ bits, ", choice)
    assert table[0].split() == ["weighting.beta", "rate_bits", "accuracy"]
    assert table[1].split() == ["count", "8.000000", "8.000000", "8.000000"]
    assert "Plotly.newPlot" in (folder / "front.html").read_text()
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_the_sweeps_of_the_program_can_be_read_by_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`front` reads a sweep by name; `compare` takes a name, a front or a list for each side."""
    settings.cache_clear()
    monkeypatch.setenv("PARETOIB_STORE", str(folder / "store"))
    try:
        front = paretoib.front("vib-digits")
        assert repr(front).startswith("<Front vib-digits (")
        named = paretoib.compare("mib-digits", ["vib-digits"])
        assert named == paretoib.compare([paretoib.front("mib-digits")], front)
        assert paretoib.pick("vib-digits", knee=True) == paretoib.pick([front], knee=True)
        assert repr(named) == f"<Comparison of mib and vib: {named.verdict}>"
        with pytest.raises(NotFoundError, match="nosuch"):
            paretoib.front("nosuch")
    finally:
        settings.cache_clear()
