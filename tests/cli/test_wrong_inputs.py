"""Invalid input: exit code 2 and one line on stderr, with the rule and the value found."""

import gzip
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

Run = Callable[..., Any]
Swept = tuple[Any, Any, Any]

# No server listens on this port, so that a download fails at once.
OFFLINE = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")


def refused(ended: Any, *parts: str) -> bool:
    """Whether a command ended with code 2, an empty stdout, and one line with `parts` on stderr."""
    one_line = ended.err.startswith("error: ") and len(ended.err.splitlines()) == 1
    return ended.code == 2 and not ended.out and one_line and all(p in ended.err for p in parts)


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
        (["--method", "imb_greedy", "--epochs", "1"], ["epochs", "the 2 layers", "found 1"]),
        (["--trials", "0"], ["--trials", "greater than or equal to 1", "'0'"]),
        (["--trials", "many"], ["--trials", "valid integer; found 'many'"]),
        (["--epochs", "2.5"], ["--epochs: should be a valid integer; found '2.5'"]),
        (["--seeds", ""], ["--seeds", "whole numbers", "``"]),
        (["--seeds", "0-3"], ["--seeds", "as 0,1,2", "`0-3`"]),
        (["--seeds", "1,1"], ["seeds", "differ", "1, 1"]),
        (["--epochs", "0"], ["epochs", "greater than or equal to 1", "0"]),
        (["--methd", "vib"], ["--methd", "--method"]),
        (["left-over"], ["left-over"]),
    ],
)
def test_a_sweep_with_invalid_options_is_refused(
    run: Run, tmp_path: Path, arguments: list[str], parts: list[str]
) -> None:
    """Nothing is started or stored."""
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
    """Unknown fields, text that is not YAML, YAML that is not a mapping, a missing file."""
    config = tmp_path / "sweep.yaml"
    if content is not None:
        config.write_bytes(content)
    assert refused(run(tmp_path / "store", "sweep", "--config", str(config)), *parts)


def test_an_unknown_command_is_refused(run: Run, tmp_path: Path) -> None:
    """The error suggests a similar command."""
    assert refused(run(tmp_path, "swep"), "swep", "sweep")


def test_missing_data_are_reported_with_ways_to_get_them(run: Run, tmp_path: Path) -> None:
    """The error names the folder to fill and why the download failed; no sweep is created."""
    data, store = tmp_path / "data", tmp_path / "store"
    ended = run(store, "train", "--dataset", "mnist", PARETOIB_DATA=str(data), **OFFLINE)
    # The lines before the error are the log of the downloader.
    last_line = replace(ended, err=ended.err.splitlines()[-1])
    assert refused(last_line, "`mnist` not found", str(data / "mnist"), "PARETOIB_DATA", "download")
    assert run(store, "list", "--json").document["sweeps"] == []


def test_a_corrupt_data_file_is_named(run: Run, tmp_path: Path) -> None:
    """The error names a truncated file; no sweep is created."""
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


def test_a_sweep_that_fails_before_its_start_leaves_nothing(store: Any) -> None:
    """If the store cannot be created, `sweep` prints one line and leaves no process."""
    store.folder.write_text("a file in place of a folder")
    below = replace(store, folder=store.folder / "below")
    assert refused(
        below.ended(below.start("sweep", "--json")), str(below.folder), "Not a directory"
    )
    assert below.left() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_in_a_read_only_folder_is_refused(run: Run, tmp_path: Path) -> None:
    """The error names the path and the reason."""
    tmp_path.chmod(0o500)
    try:
        assert refused(
            run(tmp_path / "store", "train"), str(tmp_path / "store"), "ermission denied"
        )
    finally:
        tmp_path.chmod(0o700)


def test_an_output_path_that_cannot_be_written_is_refused(swept: Swept, run: Run) -> None:
    """The error names the path and the reason."""
    path = "/dev/null/front.html"
    assert refused(run(swept[0], "front", "linear", "--html", path), path, "Not a directory")


def test_a_sweep_that_does_not_exist_is_refused(swept: Swept, run: Run) -> None:
    """Every command suggests `paretoib list`."""
    for command in (["front"], ["show"], ["compare", "linear", "--against"]):
        assert refused(run(swept[0], *command, "nosuch"), "`nosuch`", "paretoib list")


def test_a_prefix_of_several_sweeps_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error lists the ids and the names of the sweeps."""
    from paretoib.specs import SweepSpec
    from paretoib.tracking._mlflow.tracker import MLflowTracker

    tracker = MLflowTracker(f"sqlite:///{tmp_path}/mlflow.db")
    ids = [UUID("abcdef" + "0" * 26), UUID("abcdef" + "1" * 26)]
    monkeypatch.setattr("uuid.uuid4", iter(ids).__next__)
    for name in ("first", "second"):
        tracker.create(SweepSpec.from_document({"name": name}))
    assert refused(run(tmp_path, "front", "abcd"), "abcdef000000 (first)", "abcdef111111 (second)")


def test_sweeps_on_different_data_are_not_compared(swept: Swept, run: Run) -> None:
    """The error names the field of the data set that differs."""
    store, _, _ = swept
    small = ("--set", "hidden=[8]", "--set", "subset=0.5", "--epochs", "1", "--name", "half")
    assert run(store, "train", "--method", "vib", *small).code == 0
    assert refused(run(store, "compare", "half", "--against", "linear"), "data", "subset")


def test_a_sweep_is_not_compared_with_itself(swept: Swept, run: Run) -> None:
    """The name and the id refer to the same sweep."""
    store, linear, _ = swept
    same = linear.document["sweep"]["id"]
    assert refused(run(store, "compare", "linear", "--against", same), "once", "linear", "twice")
    assert refused(run(store, "compare", "linear", same, "--against", "adaptive"), "once", "twice")


def test_a_comparison_needs_two_sides(swept: Swept, run: Run) -> None:
    """`--against` is required, with at least one sweep."""
    assert refused(run(swept[0], "compare", "linear"), "--against")
    assert refused(run(swept[0], "compare", "linear", "--against"), "--against")


def test_a_diverged_trial_gives_exit_code_1(run: Run, tmp_path: Path) -> None:
    """The trial is stored with its reason; `front` prints the reason and exits with 0."""
    wild = ("--set", "optimiser=sgd", "--set", "learning_rate=10", "--set", "beta=1000")
    small = ("--set", "hidden=[8]", "--epochs", "2", "--name", "wild", "--json")
    ended = run(tmp_path, "train", "--method", "vib", *wild, *small)
    assert ended.code == 1
    assert ended.document["status"] == "diverged"
    assert "loss not finite" in ended.document["reason"]
    assert run(tmp_path, "front", "wild").code == 0
    assert "loss not finite" in run(tmp_path, "front", "wild").out
    # A sweep without a usable trial has no front to print or compare.
    hints = run(tmp_path, "watch", "wild").err
    assert "paretoib show" in hints
    assert "paretoib front" not in hints
    assert "paretoib compare" not in hints


def test_only_debug_prints_a_traceback(run: Run, tmp_path: Path) -> None:
    """`--debug` may stand anywhere on the line; the message and the exit code stay the same."""
    plain = run(tmp_path, "sweep", "--method", "foo")
    for line in (("sweep", "--method", "foo", "--debug"), ("--debug", "sweep", "--method", "foo")):
        ended = run(tmp_path, *line)
        assert ended.code == plain.code == 2
        assert ended.err.startswith("Traceback (most recent call last):")
        assert ended.err.endswith(plain.err)
