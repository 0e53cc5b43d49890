"""Fixtures: an empty store, and a store with two sweeps that `paretoib sweep` ran."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SMALL = ("--epochs", "2", "--set", "hidden=[16]", "--set", "latent=4")


@pytest.fixture
def store(new_store: Callable[[Path], Any], empty_store: Path, tmp_path: Path) -> Any:
    """An empty store for one test."""
    return new_store(shutil.copytree(empty_store, tmp_path / "store"))


@pytest.fixture(scope="session")
def store_with_sweeps(
    new_store: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Any, Any]:
    """A store with the sweeps `linear` and `adaptive`, and the results of the two commands.

    The commands run at the same time, and create the database. The command of `linear` has the
    flag `--json`. The limit on models allows all models of `linear`, but only two or three of the
    six of `adaptive`.
    """
    store = new_store(tmp_path_factory.mktemp("sweeps"))
    linear = store.start(
        *("sweep", "--method", "vib", "--trials", "4", "--name", "linear", "--json", *SMALL)
    )
    adaptive = store.start(
        *("sweep", "--method", "mib_exact", "--trials", "6", "--name", "adaptive", *SMALL),
        PARETOIB_MODELS_MB="0.02",
    )
    return store, store.wait(linear), store.wait(adaptive)
