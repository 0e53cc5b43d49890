"""Import rules of the packages, and the heavy libraries that an import must not load."""

import subprocess
import sys
from pathlib import Path

import pytest

from paretoib.search import DRIVERS
from paretoib.specs import METHODS, SEARCHES

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "ray", "mlflow")


def test_import_contracts_are_kept() -> None:
    """import-linter finds no broken contract of pyproject.toml."""
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
    """The top-level modules that a new interpreter has loaded after it ran the code."""
    tail = "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    result = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, check=True
    )
    return set(result.stderr.split())


@pytest.mark.parametrize(
    ("statement", "forbidden"),
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
        ("import paretoib.evaluation._measurement", ("ray", "mlflow", "typer")),
        ("import paretoib.training._run", ("ray", "mlflow", "typer", "rich", "sklearn")),
        ("import jobs.worker", ("mlflow", "typer", "rich", "plotly", "matplotlib")),
    ],
)
def test_an_import_loads_no_unneeded_library(statement: str, forbidden: tuple[str, ...]) -> None:
    """In a new interpreter, the import loads none of the forbidden libraries.

    import-linter does not see which libraries a re-export loads.
    """
    assert loaded_by(statement).isdisjoint(forbidden)


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_no_heavy_library(option: str) -> None:
    """`--help` and `--version` load no heavy library, so that they answer at once."""
    code = f"from paretoib.cli import main\ntry: main(['{option}'])\nexcept SystemExit: pass"
    loaded = loaded_by(code)
    assert "paretoib" in loaded
    assert loaded.isdisjoint({*HEAVY, "numpy", "pydantic", "rich"})


def test_every_search_has_a_driver() -> None:
    """SEARCHES and DRIVERS have the same names, and every method's search is one of them."""
    assert list(SEARCHES) == list(DRIVERS)
    assert {method.search for method in METHODS.values()} <= set(SEARCHES)
