"""Contradicting flags, flags without effect and invalid settings are refused with code 2."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
VIB = ("--method", "vib")
TPE = ("--search", "optuna-tpe")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--epochs", "3", "--set", "epochs=4"],
            "--epochs: should be given once; found --set epochs",
        ),
        (["--epochs", "3", "--set", "training.epochs=4"], "found --set training.epochs too"),
        ([*VIB, "--set", "beta=0.3", "--grid", "beta=1,2"], "weighting.beta: should be set, or be"),
        (
            [*VIB, "--population", "5"],
            "--population: should be used with a search that supports it, such as",
        ),
        (["--method", "mib_exact", "--population", "5"], "found search `adaptive`"),
        ([*VIB, "--objectives", "rate,lost"], "--objectives: should be used with a search that"),
        ([*VIB, "--prune", "--epochs", "1"], "prune: should have 2 training epochs or more"),
        (["--set", "budget.seconds=3"], "found `budget.seconds`: use --budget-seconds"),
        (["--set", "trials=3"], "--set: should be a field of trials; found `trials`: use --trials"),
        (["--set", "prune.keep=0.4"], "found `prune.keep`: use --config"),
    ],
)
def test_contradicting_and_ineffective_flags_are_refused(
    run: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """A flag that contradicts another flag, or that would have no effect, is a one-line error."""
    result = run(tmp_path, "sweep", "--dry-run", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [*TPE, "--population", "5", "--objectives", "rate,lost"],
        ["--search", "adaptive", "--population", "5"],
        ["--prune", "--epochs", "2"],
        ["--set", "resources.gpus=0", "--set", "data=gaussian"],
    ],
)
def test_flags_with_an_effect_are_accepted(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    """A flag that has no effect in some sweeps is accepted for a sweep in which it has one."""
    assert run(tmp_path, "sweep", "--dry-run", *VIB, *arguments).code == 0


def test_a_config_with_a_key_twice_is_refused(run: Run, tmp_path: Path) -> None:
    """A config with a key twice is an error; a YAML parser would drop the first value silently."""
    config = tmp_path / "sweep.yaml"
    config.write_text("method: vib\nmethod: mib\n")
    result = run(tmp_path, "sweep", "--dry-run", "--config", str(config))
    assert (result.code, result.out) == (2, "")
    assert "should be YAML; found the key `method` 2 times" in result.err


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["--png", "a.png", "--plane", "a.png"], "should be different files; found `a.png` twice"),
        (["--png", "a.png", "--plane", "./a.png"], "should be different files"),
        (["--png", "a.jpg"], "--png: should end in .png; found `a.jpg`"),
        (["--png", "a.pdf"], "--png: should end in .png; found `a.pdf`"),
        (["--figure", "a.eps"], "--figure: should end in .png or .pdf or .svg; found `a.eps`"),
        (["--plane", "a.html"], "--plane: should end in .png or .pdf or .svg; found `a.html`"),
        (["--axis", "log"], "--axis: should have a figure, by one of --html, --figure, --png, --p"),
        (["--html", "a.png"], "--html: should end in .html; found `a.png`"),
    ],
)
def test_wrong_suffixes_and_equal_files_are_refused(
    run: Run, tmp_path: Path, files: list[str], message: str
) -> None:
    """The names of the output files are checked before the sweep is looked up."""
    result = run(tmp_path, "front", "nosuch", *files)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("PARETOIB_WORKERS", "0", "should be greater than or equal to 1; found '0'"),
        ("PARETOIB_DATA", __file__, "should be a folder, not a file; found"),
    ],
)
def test_invalid_settings_are_refused(
    run: Run, tmp_path: Path, setting: str, value: str, message: str
) -> None:
    """A command with an invalid setting exits with code 2 and names the setting."""
    result = run(tmp_path, "list", **{setting: value})
    assert (result.code, result.out) == (2, "")
    assert f"setting {setting}: {message}" in result.err


def test_a_store_that_is_a_file_is_refused(run: Run) -> None:
    """`list` does not treat a file as an empty store."""
    result = run(Path(__file__), "list")
    assert (result.code, result.out) == (2, "")
    assert "setting PARETOIB_STORE: should be a folder, not a file" in result.err
