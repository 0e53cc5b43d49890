"""Flags that override a config file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("saved", "flags"),
    [
        (["--method", "vib"], ["--dataset", "gaussian"]),
        (["--method", "vib"], ["--search", "adaptive"]),
        (["--method", "vib"], ["--method", "mib"]),
        (["--method", "vib"], ["--trials", "4"]),
        (["--method", "vib"], ["--seeds", "1,2"]),
        (["--method", "vib", "--trials", "4"], ["--search", "random", "--trials", "9"]),
        (["--method", "vib", "--epochs", "2"], ["--dataset", "gaussian", "--epochs", "3"]),
        (["--method", "vib", "--search", "adaptive"], ["--search", "grid"]),
    ],
)
def test_flags_over_a_saved_sweep_mean_what_they_mean_alone(
    run: Run, tmp_path: Path, saved: list[str], flags: list[str]
) -> None:
    """A value in the file that only repeats a default changes with the flags."""
    config = tmp_path / "dry.yaml"
    config.write_text(run(tmp_path, "sweep", *saved, "--dry-run").out, encoding="utf-8")
    over = run(tmp_path, "sweep", "--config", str(config), *flags, "--dry-run")
    # The last of two equal flags wins.
    alone = run(tmp_path, "sweep", *saved, *flags, "--dry-run")
    assert over.code == 0, over.err
    assert over.out == alone.out


def test_other_seeds_keep_the_axes(run: Run, tmp_path: Path) -> None:
    """The file has four β for one seed; the sweep has the same four for each of three seeds."""
    config = tmp_path / "dry.yaml"
    saved = run(tmp_path, "sweep", "--method", "vib", "--trials", "4", "--dry-run", "--json")
    config.write_text(saved.out, encoding="utf-8")
    flags = ("--seeds", "0,1,2", "--dry-run", "--json")
    over = run(tmp_path, "sweep", "--config", str(config), *flags).document
    assert over["trials"] == 12
    assert over["grid"] == saved.document["grid"]


def test_values_that_differ_from_defaults_stay(run: Run, tmp_path: Path) -> None:
    """The name, the width and the axes of the file are kept with another data set."""
    config = tmp_path / "dry.yaml"
    chosen = ("--name", "mine", "--set", "hidden=[16]", "--grid", "beta=0.1,0.2")
    saved = run(tmp_path, "sweep", "--method", "vib", *chosen, "--dry-run")
    config.write_text(saved.out, encoding="utf-8")
    flags = ("--dataset", "gaussian", "--dry-run", "--json")
    over = run(tmp_path, "sweep", "--config", str(config), *flags).document
    assert over["name"] == "mine"
    assert (over["model"]["name"], over["model"]["hidden"]) == ("mlp", [16])
    assert over["grid"] == {"weighting.beta": [0.1, 0.2]}
