"""Sweeps on a user's own arrays: `--dataset npz:PATH`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoib.backends import connect
from paretoib.cli._follow import _data_flags
from paretoib.records import SweepInfo
from paretoib.specs import SweepSpec
from tests.service.synthetic_sweeps import write_sweep

Run = Callable[..., Any]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three separate clusters in four dimensions, in a file whose name has a space."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    path = tmp_path / "my arrays.npz"
    np.savez(path, x=4 * np.eye(4)[y] + rng.standard_normal((300, 4)), y=y)
    return path


def test_a_relative_path_becomes_a_complete_spec(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--dry-run` prints the absolute path and the facts of the file; `--config` reads them."""
    monkeypatch.chdir(file.parent)
    flags = ("--method", "vib", "--dataset", "npz:my arrays.npz", "--set", "split_seed=3")
    printed = run(file.parent, "sweep", *flags, "--dry-run")
    document = SweepSpec.from_yaml(printed.out).document
    assert document["name"] == "vib-my arrays"
    data = document["data"]
    assert (data["path"], data["classes"], data["split_seed"]) == (str(file), [3], 3)
    (file.parent / "sweep.yaml").write_text(printed.out)
    again = run(file.parent, "sweep", "--config", "sweep.yaml", "--dry-run", "--json")
    assert again.document == document


def test_a_trial_learns_from_the_file(run: Run, file: Path, tmp_path: Path) -> None:
    """`paretoib train` trains on the arrays of the file."""
    flags = ("--method", "vib", "--epochs", "20", "--set", "hidden=[16]", "--set", "latent=2")
    record = run(tmp_path / "store", "train", "--dataset", f"npz:{file}", *flags, "--json").document
    assert record["test"]["examples"] == 60
    assert record["test"]["accuracy"] > 0.7


def test_wrong_files_are_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    """A missing file, a missing path and a file with other arrays."""
    for dataset, text in (
        (f"npz:{tmp_path}/no.npz", "no.npz: should be a readable .npz file; found: No such file"),
        ("npz", "data.path: should be the path of an .npz file"),
        ("digits:x", "data.path: unknown field"),
    ):
        refused = run(tmp_path, "sweep", "--dataset", dataset, "--dry-run")
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert text in refused.err


def test_a_sweep_is_not_resumed_on_changed_data(run: Run, file: Path, tmp_path: Path) -> None:
    """`resume` refuses other arrays at once, before Ray starts, and keeps the ended trials."""
    store = tmp_path / "store"
    write_sweep(store, 4, name="own", status="interrupted", data=f"npz:{file}", trials=16)
    np.savez(file, x=np.zeros((300, 4)), y=np.arange(300) % 3)
    refused = run(store, "resume", "own")
    assert refused.code == 2
    assert "its arrays should be those with which the sweep began" in refused.err
    assert len(run(store, "front", "own", "--json").document["points"]) == 4
    file.unlink()
    assert "my arrays.npz: should be a readable .npz file" in run(store, "resume", "own").err


def test_a_sweep_with_an_encoder_is_resumed_from_python(run: Run, tmp_path: Path) -> None:
    """The command line does not have the code of the encoder, and says what to do."""
    store = tmp_path / "store"
    model = {"name": "module", "encoder": "MyModule", "code": "0" * 16}
    write_sweep(store, 3, name="own", status="interrupted", model=model, trials=16)
    refused = run(store, "resume", "own")
    assert refused.code == 2
    assert "resume it there with `paretoib.resume(SWEEP, encoder=MyModule)`" in refused.err


def test_the_suggested_sweep_names_the_file(file: Path) -> None:
    """The suggestion has the path, and the fields that are not read from the file."""
    spec = SweepSpec.from_document(
        {"data": {"name": "npz", "path": str(file), "split_seed": 2}}
    ).document
    info = SweepInfo(
        id="0" * 32, name="a", method="mib", dataset="npz", status="finished", spec=spec
    )
    flags = _data_flags(connect(""), info)
    assert flags == f"--dataset 'npz:{file}' --set split_seed=2"


def test_entries_of_this_machine_are_listed(run: Run, tmp_path: Path) -> None:
    """`paretoib datasets` and `paretoib models` show how to use own arrays and modules."""
    assert "npz: your own arrays" in run(tmp_path, "datasets").out
    assert "module: your own torch module" in run(tmp_path, "models").out
    assert "sha256" in run(tmp_path, "datasets", "npz").out
