"""Options that contradict each other or have no effect: exit code 2, one line on stderr."""

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
            "--epochs: should be set once; found --set epochs",
        ),
        (["--epochs", "3", "--set", "training.epochs=4"], "found --set training.epochs too"),
        ([*VIB, "--set", "beta=0.3", "--grid", "beta=1,2"], "weighting.beta: should be set, or be"),
        (
            [*VIB, "--population", "5"],
            "--population: should be set only for a search that uses it, such as",
        ),
        (["--population", "5"], "found search `adaptive`"),
        (
            [*VIB, "--objectives", "rate,lost"],
            "--objectives: should be set only for a search that uses it",
        ),
        ([*VIB, "--prune", "--epochs", "1"], "prune: should have 2 epochs or more"),
        (["--set", "budget.seconds=3"], "found `budget.seconds`: use --budget-seconds"),
        (["--set", "trials=3"], "--set: should be a field of trials; found `trials`: use --trials"),
        (["--set", "prune.keep=0.4"], "found `prune.keep`: use --config"),
    ],
)
def test_a_sweep_that_contradicts_itself_is_refused(
    run: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """Neither option silently wins."""
    ended = run(tmp_path, "sweep", "--dry-run", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [*TPE, "--population", "5", "--objectives", "rate,lost"],
        ["--search", "adaptive", "--population", "5"],
        ["--prune", "--epochs", "2"],
        ["--set", "resources.gpus=0", "--set", "data=gaussian"],
    ],
)
def test_options_that_have_an_effect_are_accepted(
    run: Run, tmp_path: Path, arguments: list[str]
) -> None:
    """The same options as above, with a search that uses them."""
    assert run(tmp_path, "sweep", "--dry-run", *VIB, *arguments).code == 0


def test_a_config_with_a_key_twice_is_refused(run: Run, tmp_path: Path) -> None:
    """YAML would silently use the last value."""
    config = tmp_path / "sweep.yaml"
    config.write_text("method: vib\nmethod: mib\n")
    ended = run(tmp_path, "sweep", "--dry-run", "--config", str(config))
    assert (ended.code, ended.out) == (2, "")
    assert "should be YAML; found the key `method` 2 times" in ended.err


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["--png", "a.png", "--plane", "a.png"], "should be different files; found `a.png` twice"),
        (["--png", "a.png", "--plane", "./a.png"], "should be different files"),
        (["--png", "a.jpg"], "--png: should end in .png; found `a.jpg`"),
        (["--plane", "a.svg"], "--plane: should end in .png; found `a.svg`"),
        (["--html", "a.png"], "--html: should end in .html; found `a.png`"),
    ],
)
def test_paths_that_do_not_fit_are_refused(
    run: Run, tmp_path: Path, files: list[str], message: str
) -> None:
    """No file overwrites another, and none has a wrong suffix; checked before the sweep is read."""
    ended = run(tmp_path, "front", "nosuch", *files)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


@pytest.mark.parametrize(
    ("setting", "value", "rule"),
    [
        ("PARETOIB_WORKERS", "0", "should be greater than or equal to 1; found '0'"),
        ("PARETOIB_DATA", __file__, "should be a folder, not a file; found"),
    ],
)
def test_invalid_settings_are_refused(
    run: Run, tmp_path: Path, setting: str, value: str, rule: str
) -> None:
    """The error names the setting, the rule and the value."""
    ended = run(tmp_path, "list", **{setting: value})
    assert (ended.code, ended.out) == (2, "")
    assert f"setting {setting}: {rule}" in ended.err


def test_a_store_that_is_a_file_is_refused(run: Run) -> None:
    """`list` does not treat it as an empty store."""
    ended = run(Path(__file__), "list")
    assert (ended.code, ended.out) == (2, "")
    assert "setting PARETOIB_STORE: should be a folder, not a file" in ended.err
