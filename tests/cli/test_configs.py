"""Flags that override a config file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

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
def test_flags_change_the_defaults_in_a_saved_sweep(
    run: Run, tmp_path: Path, saved: list[str], flags: list[str]
) -> None:
    """A file of `--dry-run` with further flags gives the same sweep as all flags without a file."""
    config = tmp_path / "dry.yaml"
    config.write_text(run(tmp_path, "sweep", *saved, "--dry-run").out, encoding="utf-8")
    with_file = run(tmp_path, "sweep", "--config", str(config), *flags, "--dry-run")
    # If a flag is given twice, the last value counts.
    without_file = run(tmp_path, "sweep", *saved, *flags, "--dry-run")
    assert with_file.code == 0, with_file.err
    assert with_file.out == without_file.out


def test_other_seeds_keep_the_axes(run: Run, tmp_path: Path) -> None:
    """With a file of four values of β, `--seeds 0,1,2` gives four trials for each of the seeds."""
    config = tmp_path / "dry.yaml"
    saved = run(tmp_path, "sweep", "--method", "vib", "--trials", "4", "--dry-run", "--json")
    config.write_text(saved.out, encoding="utf-8")
    flags = ("--seeds", "0,1,2", "--dry-run", "--json")
    sweep = run(tmp_path, "sweep", "--config", str(config), *flags).document
    assert sweep["trials"] == 12
    assert sweep["grid"] == saved.document["grid"]


def test_values_that_differ_from_defaults_are_kept(run: Run, tmp_path: Path) -> None:
    """With another data set, the sweep keeps the name, the layer sizes and the grid of the file."""
    config = tmp_path / "dry.yaml"
    chosen = ("--name", "mine", "--set", "hidden=[16]", "--grid", "beta=0.1,0.2")
    saved = run(tmp_path, "sweep", "--method", "vib", *chosen, "--dry-run")
    config.write_text(saved.out, encoding="utf-8")
    flags = ("--dataset", "gaussian", "--dry-run", "--json")
    sweep = run(tmp_path, "sweep", "--config", str(config), *flags).document
    assert sweep["name"] == "mine"
    assert (sweep["model"]["name"], sweep["model"]["hidden"]) == ("mlp", [16])
    assert sweep["grid"] == {"weighting.beta": [0.1, 0.2]}


def test_values_after_commas_may_have_spaces(run: Run, tmp_path: Path) -> None:
    """`--objectives 'rate, lost'` and `--seeds '0, 1'` are accepted."""
    flags = ("--search", "pymoo-nsga2", "--objectives", "rate, lost", "--seeds", "0, 1")
    result = run(tmp_path, "sweep", "--method", "vib", *flags, "--dry-run", "--json")
    assert (result.code, result.err) == (0, "")
    assert (result.document["objectives"], result.document["seeds"]) == (["rate", "lost"], [0, 1])


def test_a_file_of_an_extended_sweep_keeps_its_history(run: Run, tmp_path: Path) -> None:
    """The same trials belong to the new sweep; flags that change the sweep drop the history."""
    before = {"trials": 12, "seeds": [0], "population": 4}
    history = [{"at": "2026-01-01T12:00:00Z", "ended": 12, "before": before}]
    document = {"method": "vib", "search": "adaptive", "seeds": [0, 1], "trials": 24}
    config = tmp_path / "extended.yaml"
    config.write_text(yaml.safe_dump({**document, "population": 8, "extensions": history}))

    def history_of(*flags: str) -> Any:
        shown = run(tmp_path, "sweep", "--config", str(config), *flags, "--dry-run", "--json")
        assert shown.code == 0, shown.err
        return shown.document["extensions"]

    assert history_of() == history
    assert history_of("--name", "again") == history
    for flags in (("--trials", "8"), ("--seeds", "4"), ("--set", "latent=2"), ("--epochs", "3")):
        assert history_of(*flags) == []
