"""Wrong input is refused with exit code 2 and one line: the rule and the value found."""

import gzip
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.service.synthetic_sweeps import write_sweep

Run = Callable[..., Any]

# Nothing listens at this proxy, so a download fails at once.
OFFLINE = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")


@pytest.fixture(scope="module")
def sweeps(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store with the sweeps `linear` and `adaptive`, which have the same data."""
    store = shutil.copytree(empty_store, tmp_path_factory.mktemp("sweeps") / "store")
    write_sweep(store, 4, name="linear")
    write_sweep(store, 4, name="adaptive", method="mib_exact", seeds=[0])
    return store


def refused(result: Any, *parts: str) -> bool:
    """Whether a command had exit code 2, no stdout, and one line on stderr with these parts.

    Lines of progress do not count.
    """
    err = result.messages
    one_line = err.startswith("error: ") and len(err.splitlines()) == 1
    return result.code == 2 and not result.out and one_line and all(part in err for part in parts)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--method", "vibb"], ["unknown method", "`vibb`", "did you mean `vib`", "mgda"]),
        (["--dataset", "imagenet"], ["unknown dataset", "`imagenet`", "digits"]),
        (["--model", "vit"], ["unknown model", "`vit`", "mlp"]),
        (["--search", "randm"], ["unknown search", "`randm`", "random", "optuna-tpe"]),
        (["--objectives", "rate"], ["objectives", "at least 2", "rate"]),
        (["--space", "lr=1:0.1"], ["unknown field `lr`"]),
        (["--method", "vib", "--space", "beta=1:0.1"], ["space", "beta", "LOW < HIGH"]),
        (["--stop-on-plateau", "5"], ["--stop-on-plateau", "PERCENT:TRIALS", "`5`"]),
        (["--budget-seconds", "-3"], ["budget.seconds", "greater than 0", "-3"]),
        (["--method", "vib", "--set", "beta=-1"], ["beta", "greater than or equal to 0", "-1"]),
        (["--method", "vib", "--set", "beta=nan"], ["beta", "finite number", "nan"]),
        (["--method", "vib", "--set", "beta=.inf"], ["beta", "finite number", "inf"]),
        (["--method", "vib", "--grid", "beta=1,-1"], ["beta", "greater than or equal to 0", "-1"]),
        (["--method", "vib", "--grid", "beta=0:1:4"], ["beta", "above 0", "0:1:4"]),
        (["--set", "beta=1"], ["unknown field `beta`", "mib"]),
        (["--set", "epochs"], ["--set", "FIELD=VALUE", "`epochs`"]),
        (["--set", "mu=1", "--set", "mu=2"], ["--set", "`mu`", "twice"]),
        (["--dataset", "gaussian", "--model", "resnet18"], ["resnet18", "image", "gaussian"]),
        (
            ["--method", "imb_greedy", "--epochs", "1"],
            ["epochs", "at least 2, the number of layers", "found 1"],
        ),
        (["--trials", "0"], ["--trials", "greater than or equal to 1", "'0'"]),
        (["--trials", "many"], ["--trials", "valid integer; found 'many'"]),
        (["--epochs", "2.5"], ["--epochs: should be a valid integer; found '2.5'"]),
        (["--seeds", ""], ["--seeds", "whole numbers", "``"]),
        (["--seeds", "0-3"], ["--seeds", "as 0,1,2", "`0-3`"]),
        (["--seeds", "1,1"], ["seeds", "no value twice", "1, 1"]),
        (["--epochs", "0"], ["epochs", "greater than or equal to 1", "0"]),
        (["--methd", "vib"], ["--methd", "--method"]),
        (["left-over"], ["left-over"]),
    ],
)
def test_a_sweep_that_cannot_run_is_refused(
    run: Run, tmp_path: Path, arguments: list[str], parts: list[str]
) -> None:
    """`sweep` with wrong arguments starts nothing and stores nothing."""
    assert refused(run(tmp_path, "sweep", *arguments), *parts)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"methd: vib", ["methd", "unknown field"]),
        (b"training: {epoch: 3}", ["training.epoch", "unknown field"]),
        (b"a: [", ["should be YAML", "line"]),
        (b"\xff\xfe\x00", ["should be YAML"]),
        (b"- vib", ["should be a mapping"]),
        (b"", ["should be a mapping"]),
        (None, ["No such file"]),
    ],
)
def test_an_invalid_config_is_refused(
    run: Run, tmp_path: Path, content: bytes | None, parts: list[str]
) -> None:
    """A config is refused if it has unknown keys, is no YAML, is no mapping, or does not exist."""
    config = tmp_path / "sweep.yaml"
    if content is not None:
        config.write_bytes(content)
    assert refused(run(tmp_path / "store", "sweep", "--config", str(config)), *parts)


def test_an_unknown_command_is_refused(run: Run, tmp_path: Path) -> None:
    """The message for an unknown command suggests the nearest command."""
    assert refused(run(tmp_path, "swep"), "swep", "sweep")


def test_missing_data_are_an_error_with_instructions(run: Run, tmp_path: Path) -> None:
    """If data are missing and the download fails, one line names the folder and the setting.

    No sweep is created.
    """
    data, store = tmp_path / "data", tmp_path / "store"
    result = run(store, "train", "--dataset", "mnist", PARETOIB_DATA=str(data), **OFFLINE)
    # The downloader logs its attempts before the error.
    last = replace(result, err=result.err.splitlines()[-1])
    assert refused(last, "`mnist` not found", str(data / "mnist"), "PARETOIB_DATA", "download")
    assert run(store, "list", "--json").document["sweeps"] == []


def test_a_corrupt_data_file_is_named(run: Run, tmp_path: Path) -> None:
    """The error names the truncated data file, and no sweep is created."""
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"{name}-ubyte.gz").write_bytes(gzip.compress(b"\0" * 10_000)[:40])
    data = {"PARETOIB_DATA": str(folder.parent)}
    store = tmp_path / "store"
    assert refused(
        run(store, "train", "--dataset", "mnist", **data, **OFFLINE), "corrupt", "-ubyte.gz"
    )
    assert run(store, "list", "--json").document["sweeps"] == []


def test_a_sweep_that_fails_before_its_start_leaves_no_process(store: Any) -> None:
    """If the store's path goes through a file, `sweep` prints a one-line error; Ray ends too."""
    file = store.folder / "file"
    file.write_text("a file instead of a folder")
    below = replace(store, folder=file / "below")
    assert refused(below.wait(below.start("sweep", "--json")), str(below.folder), "Not a directory")
    assert below.remaining_processes() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_in_a_read_only_folder_is_refused(run: Run, tmp_path: Path) -> None:
    """The error for a store that cannot be created has the path and the reason."""
    tmp_path.chmod(0o500)
    try:
        assert refused(
            run(tmp_path / "store", "train"), str(tmp_path / "store"), "ermission denied"
        )
    finally:
        tmp_path.chmod(0o700)


def test_a_figure_that_cannot_be_written_is_an_error(sweeps: Path, run: Run) -> None:
    """The error for a figure that cannot be written has the path and the reason."""
    path = "/dev/null/front.html"
    assert refused(run(sweeps, "front", "linear", "--html", path), path, "Not a directory")


def test_a_sweep_that_does_not_exist_is_refused(sweeps: Path, run: Run) -> None:
    """For an unknown sweep, `front`, `show` and `compare` suggest `paretoib list`."""
    for command in (["front"], ["show"], ["compare", "linear", "--against"]):
        assert refused(run(sweeps, *command, "nosuch"), "`nosuch`", "paretoib list")


def test_a_prefix_of_several_sweeps_is_refused(
    run: Run, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the ids of several sweeps begin with the given prefix, the message lists these sweeps."""
    from paretoib.specs import SweepSpec
    from paretoib.tracking._mlflow.tracker import MLflowTracker

    tracker = MLflowTracker(f"sqlite:///{store.folder}/mlflow.db")
    ids = [UUID("abcdef" + "0" * 26), UUID("abcdef" + "1" * 26)]
    monkeypatch.setattr("uuid.uuid4", iter(ids).__next__)
    for name in ("first", "second"):
        tracker.create(SweepSpec.from_document({"name": name}))
    assert refused(run(store, "front", "abcd"), "abcdef000000 (first)", "abcdef111111 (second)")


def test_sweeps_on_different_data_are_not_compared(sweeps: Path, run: Run) -> None:
    """The error for sweeps on different data names the field that differs."""
    small = ("--set", "hidden=[8]", "--set", "subset=0.5", "--epochs", "1", "--name", "half")
    assert run(sweeps, "train", "--method", "vib", *small).code == 0
    assert refused(run(sweeps, "compare", "half", "--against", "linear"), "data", "subset")


def test_a_sweep_is_not_compared_with_itself(sweeps: Path, run: Run) -> None:
    """A sweep may appear in a comparison only once, by name or by id."""
    same = run(sweeps, "show", "linear", "--json").document["sweep"]["id"]
    assert refused(run(sweeps, "compare", "linear", "--against", same), "once", "linear", "twice")
    assert refused(run(sweeps, "compare", "linear", same, "--against", "adaptive"), "once", "twice")


def test_a_comparison_needs_two_sides(sweeps: Path, run: Run) -> None:
    """A comparison without a sweep after `--against` is an error that names this flag."""
    assert refused(run(sweeps, "compare", "linear"), "--against")
    assert refused(run(sweeps, "compare", "linear", "--against"), "--against")


def test_a_diverged_trial_is_stored_with_its_reason(run: Run, tmp_path: Path) -> None:
    """`train` stores a diverged trial with its reason, and exits with code 1."""
    wild = ("--set", "optimiser=sgd", "--set", "learning_rate=10", "--set", "beta=1000")
    small = ("--set", "hidden=[8]", "--epochs", "2", "--name", "wild", "--json")
    result = run(tmp_path, "train", "--method", "vib", *wild, *small)
    assert result.code == 1
    assert result.document["status"] == "diverged"
    assert "loss not finite" in result.document["reason"]
    assert run(tmp_path, "front", "wild").code == 0
    assert "loss not finite" in run(tmp_path, "front", "wild").out
    # The front has no points, so `front` and `compare` are not suggested.
    suggestions = run(tmp_path, "watch", "wild").err
    assert "paretoib show" in suggestions
    assert "paretoib front" not in suggestions
    assert "paretoib compare" not in suggestions


def test_a_traceback_is_printed_only_with_debug(run: Run, tmp_path: Path) -> None:
    """With `--debug`, anywhere in the command, a traceback is printed before the usual error."""
    plain = run(tmp_path, "sweep", "--method", "foo")
    for line in (("sweep", "--method", "foo", "--debug"), ("--debug", "sweep", "--method", "foo")):
        result = run(tmp_path, *line)
        assert result.code == plain.code == 2
        assert result.err.startswith("Traceback (most recent call last):")
        assert result.err.endswith(plain.err)
