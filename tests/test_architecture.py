"""The layers hold, and each door loads what it needs and no more."""

import subprocess
import sys
from pathlib import Path

import pytest

from paretoib.search import DRIVERS
from paretoib.specs import METHODS, SEARCHES

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "ray", "mlflow")


def test_no_arrow_points_upwards() -> None:
    """The contracts in pyproject.toml, by import-linter."""
    linted = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "0 broken" in linted.stdout


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after some code."""
    tail = "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    ended = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, check=True
    )
    return set(ended.stderr.split())


@pytest.mark.parametrize(
    ("door", "closed_to"),
    [
        ("import paretoib", HEAVY),
        ("import service", HEAVY),
        ("import paretoib.specs", HEAVY),
        ("import paretoib.fronts", HEAVY),
        ("import paretoib.search", HEAVY),
        ("import paretoib.tracking", HEAVY),
        ("import paretoib.cli", HEAVY),
        ("import paretoib.backends", (*HEAVY, "numpy", "pydantic")),
        ("import paretoib.backends._remote", (*HEAVY, "numpy")),
        ("import jobs.sweep", HEAVY),
        ("import paretoib.training._run", ("ray", "mlflow", "typer", "rich")),
        ("import jobs.worker", ("mlflow", "typer", "rich", "plotly", "matplotlib")),
    ],
)
def test_a_door_loads_no_more_than_it_needs(door: str, closed_to: tuple[str, ...]) -> None:
    """A re-export can pull torch in behind the linter's back; a fresh interpreter shows it."""
    assert loaded_by(door).isdisjoint(closed_to)


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_command_answers_without_what_is_heavy(option: str) -> None:
    """So that it answers at once."""
    code = f"from paretoib.cli import main\ntry: main(['{option}'])\nexcept SystemExit: pass"
    loaded = loaded_by(code)
    assert "paretoib" in loaded
    assert loaded.isdisjoint({*HEAVY, "numpy", "pydantic", "rich"})


def test_every_search_has_its_driver() -> None:
    """What a spec may name, a sweep can run; and every method's search is one of them."""
    assert list(SEARCHES) == list(DRIVERS)
    assert {method.search for method in METHODS.values()} <= set(SEARCHES)
