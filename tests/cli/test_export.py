"""`paretoib export` and `show`: the models of sweeps that `paretoib sweep` ran."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import paretoib
from paretoib.data._load import load_dataset
from tests.service.synthetic_sweeps import write_sweep

Run = Callable[..., Any]
StoreWithSweeps = tuple[Any, Any, Any]


def test_the_best_model_is_exported_by_default(
    store_with_sweeps: StoreWithSweeps, run: Run, tmp_path: Path
) -> None:
    """The folder has the trial with the highest accuracy on the validation split.

    Its model has the accuracy of the record, and the text says what was written.
    """
    store, _, _ = store_with_sweeps
    folder = tmp_path / "new" / "best"
    done = run(store, "export", "linear", str(folder))
    assert done.code == 0, done.err
    assert {path.name for path in folder.iterdir()} == {
        "model.safetensors",
        "config.json",
        "README.md",
        "MLmodel",
    }
    assert [path.name for path in folder.parent.iterdir()] == ["best"]
    config = json.loads((folder / "config.json").read_text())
    trial = config["trial"]
    model = paretoib.load_model(folder)
    assert model.trial == trial["trial"]
    for split in ("validation", "test"):
        data = getattr(load_dataset("digits", {}), split)
        accuracy = (model.predict(data.x).argmax(-1) == data.y).double().mean()
        assert accuracy == pytest.approx(trial[split]["accuracy"], abs=1.01 / len(data))
    records = paretoib.connect("").trials("linear")
    assert trial["validation"]["accuracy"] == max(
        record.validation.accuracy for record in records if record.validation
    )
    lines = done.out.splitlines()
    assert lines[0].startswith(f"{folder}: the model of trial {trial['trial']} of linear (")
    assert f"test:       accuracy {100 * trial['test']['accuracy']:.1f} %" in done.out
    assert lines[-1] == f'load:       paretoib.load_model("{folder}")'


def test_the_example_in_the_readme_runs(
    store_with_sweeps: StoreWithSweeps, run: Run, tmp_path: Path
) -> None:
    """The code of README.md runs where Ray, MLflow and the service cannot be imported."""
    store, _, _ = store_with_sweeps
    assert run(store, "export", "linear", str(tmp_path / "model")).code == 0
    text = (tmp_path / "model" / "README.md").read_text()
    (code,) = re.findall("```python\n(.*?)```", text, re.DOTALL)
    blocked = "import sys\nfor name in ('ray', 'mlflow', 'fastapi', 'service', 'jobs', 'optuna'):\n"
    blocked += "    sys.modules[name] = None\n"
    check = "print(tuple(mean.shape), tuple(z.shape), tuple(p.shape))"
    done = subprocess.run(
        [sys.executable, "-c", f"{blocked}{code}{check}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.stdout == "(5, 4) (5, 4) (5, 10)\n", done.stderr
    assert max(map(len, text.splitlines())) <= 100 + len(str(tmp_path))


def test_one_trial_is_exported_by_its_key(
    store_with_sweeps: StoreWithSweeps, run: Run, tmp_path: Path
) -> None:
    """`--trial` takes a key or its beginning; `--json` prints one document."""
    store, linear, _ = store_with_sweeps
    for point in linear.document["points"]:
        key = point["trial"]
        done = run(store, "export", "linear", str(tmp_path / key), "--trial", key[:12], "--json")
        assert done.document["trial"]["trial"] == key
        assert done.document["folder"] == str(tmp_path / key)
        assert set(done.document["files"]) == {f.name for f in (tmp_path / key).iterdir()}
        assert paretoib.load_model(tmp_path / key / "model.safetensors").trial == key
    unknown = run(store, "export", "linear", str(tmp_path / "x"), "--trial", "zz")
    assert (unknown.code, (tmp_path / "x").exists()) == (2, False)
    assert "`zz` should be the key of one ended trial" in unknown.err
    both = run(store, "export", "linear", str(tmp_path / "x"), "--trial", key, "--best", "lost")
    assert (both.code, both.err.count("--best: should not be given with --trial")) == (2, 1)


def test_the_model_with_the_fewest_lost_bits_is_exported(
    store_with_sweeps: StoreWithSweeps, run: Run, tmp_path: Path
) -> None:
    """`--best lost` chooses by the lost bits on the validation split."""
    store, _, _ = store_with_sweeps
    done = run(store, "export", "linear", str(tmp_path / "x"), "--best", "lost", "--json")
    lost = [r.validation.lost_bits for r in paretoib.connect("").trials("linear") if r.validation]
    assert done.document["trial"]["validation"]["lost_bits"] == min(lost)


def test_a_folder_with_files_is_not_overwritten(
    store_with_sweeps: StoreWithSweeps, run: Run, tmp_path: Path
) -> None:
    """Without `--overwrite` nothing changes; with it, only the files of the model are replaced."""
    store, linear, _ = store_with_sweeps
    first, second = (point["trial"] for point in linear.document["points"][:2])
    folder = tmp_path / "model"
    folder.mkdir()
    assert run(store, "export", "linear", str(folder), "--trial", first).code == 0
    (folder / "notes.txt").write_text("mine")
    refused = run(store, "export", "linear", str(folder), "--trial", second)
    assert (refused.code, refused.out) == (2, "")
    assert f"{folder} should be a new or an empty folder" in refused.err
    assert paretoib.load_model(folder).trial == first
    assert run(store, "export", "linear", str(folder), "--trial", second, "--overwrite").code == 0
    assert paretoib.load_model(folder).trial == second
    assert (folder / "notes.txt").read_text() == "mine"
    in_the_way = run(store, "export", "linear", str(folder / "notes.txt"))
    assert (in_the_way.code, in_the_way.err.count("should be a folder; found a file")) == (2, 1)
    below = run(store, "export", "linear", str(folder / "notes.txt" / "below"))
    assert (below.code, below.err) == (2, f"error: {folder / 'notes.txt'}: File exists\n")


def test_a_sweep_above_the_limit_keeps_some_models_and_says_so(
    store_with_sweeps: StoreWithSweeps, run: Run, tmp_path: Path
) -> None:
    """Show, its JSON and the log say how many models are kept, and why.

    The size of the kept models is below the limit. Export of another trial says why it has none.
    """
    store, _, _ = store_with_sweeps
    reason = "the models of the sweep are larger than 0.02 MB (PARETOIB_MODELS_MB)"
    models = run(store, "show", "adaptive", "--json").document["models"]
    assert 0 < models["kept"] < 6
    assert models["bytes"] <= models["limit_mb"] * 1e6 == 20_000
    assert sum(models["missing"].values()) == 6 - models["kept"]
    assert all(text.startswith(reason) for text in models["missing"])
    shown = run(store, "show", "adaptive").out
    assert f"models: {models['kept']} of 6 kept, " in shown
    assert reason in shown
    assert run(store, "logs", "adaptive").out.count(reason) == 1
    assert "models: 4 kept, " in run(store, "show", "linear").out

    files = paretoib.connect("").models("adaptive")
    missing = next(file.trial for file in files.files if not file.kept)
    refused = run(store, "export", "adaptive", str(tmp_path / "x"), "--trial", missing)
    assert refused.code == 2
    assert f"the model of trial {missing} in sweep" in refused.err
    assert reason in refused.err
    assert run(store, "export", "adaptive", str(tmp_path / "best")).code == 0
    assert paretoib.load_model(tmp_path / "best").trial in {file.trial for file in files.kept}


def test_a_sweep_without_models_says_why(run: Run, tmp_path: Path) -> None:
    """A sweep of an earlier version has no models, and neither has one that ran with limit 0."""
    store = tmp_path / "store"
    write_sweep(store, 5, name="old")
    shown = run(store, "show", "old").out
    assert "models: none kept: the sweep has not begun, or ran with a version" in shown
    refused = run(store, "export", "old", str(tmp_path / "x"))
    assert refused.code == 2
    assert "has no models: none kept: the sweep has not begun, or ran with a version" in refused.err
    small = ("--epochs", "1", "--set", "hidden=[4]", "--set", "latent=2", "--name", "zero")
    assert run(store, "train", "--method", "vib", *small, PARETOIB_MODELS_MB="0").code == 0
    assert (
        "models: none kept: the sweep ran with PARETOIB_MODELS_MB=0"
        in run(store, "show", "zero").out
    )
    assert run(store, "train", "--method", "vib", *small, PARETOIB_MODELS_MB="500").code == 0
    assert "models: 1 kept, " in run(store, "show", "zero").out
    assert run(store, "export", "zero", str(tmp_path / "x")).code == 0
    assert torch.isfinite(paretoib.load_model(tmp_path / "x").predict(torch.rand(2, 1, 8, 8))).all()
