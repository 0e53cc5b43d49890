"""`paretoib measure`: arrays in a file, and their place beside a front."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import paretoib
from tests.service.synthetic_sweeps import write_sweep

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def codes() -> dict[str, Any]:
    """A noisy one-hot code of ten classes with H(Y) = 3.30 bits, and a dimension of no use."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.r_[np.arange(9).repeat(21), np.full(12, 9)])
    mean = np.c_[2 * np.eye(10)[labels], 10 * rng.standard_normal(201)]
    return {"mean": mean, "scale": np.ones(11), "labels": labels}


@pytest.fixture
def file(tmp_path: Path, codes: dict[str, Any]) -> Path:
    path = tmp_path / "codes.npz"
    np.savez(path, **codes)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the sweep `linear`, on data with H(Y) = 3.3 bits."""
    store = tmp_path_factory.mktemp("store")
    write_sweep(store, 12, name="linear")
    return store


def test_the_command_prints_what_python_returns(
    run: Run, tmp_path: Path, file: Path, codes: dict[str, Any]
) -> None:
    """`--json` has the document of `paretoib.measure`, and the table has its numbers.

    No store is needed or created.
    """
    expected = paretoib.measure(**codes, seed=3)
    store = tmp_path / "store"
    document = run(store, "measure", str(file), "--seed", "3", "--json").document
    assert document == {"schema": 1, "measurement": expected.document, "place": None}
    printed = run(store, "measure", str(file), "--seed", "3")
    text = " ".join(printed.out.split())
    assert f"rate bits, at most {expected.rate_bits:.4f} {expected.rate_se_bits:.4f}" in text
    assert f"lost bits {expected.lost_bits:.4f} {expected.relevance_se_bits:.4f}" in text
    assert "decoder `linear`, fitted in 5 folds. A better decoder may show more." in text
    assert "saturated" not in text
    assert not store.exists()


def test_a_sweep_shows_the_place_beside_its_front(
    run: Run, folder: Path, file: Path, tmp_path: Path
) -> None:
    """With `--sweep`, the output names the trials that dominate, and `--figure` draws the point."""
    picture = tmp_path / "place.png"
    options = ("--sweep", "linear", "--figure", str(picture))
    document = run(folder, "measure", str(file), *options, "--json").document
    place, measurement = document["place"], document["measurement"]
    front = run(folder, "front", "linear", "--json").document
    points = {p["trial"]: p for p in front["points"] if p["on_front"]}
    dominating = {
        trial
        for trial, p in points.items()
        if p["rate_bits"] < measurement["rate_bits"] and p["lost_bits"] < place["lost_bits"]
    }
    assert dominating
    assert set(place["dominated_by"]) == dominating
    assert not place["on_front"]
    assert place["sweep"]["name"] == "linear"
    assert place["lost_bits"] == pytest.approx(3.3 - measurement["relevance_bits"])
    assert picture.read_bytes().startswith(b"\x89PNG")
    printed = run(folder, "measure", str(file), "--sweep", "linear").out
    assert f"It lies {place['hull_gap_bits']:.3f} bits above its hull." in printed
    assert f"dominated by {len(dominating)} of the trials on the front:" in printed
    assert all(trial[:12] in printed for trial in dominating)


def test_no_trial_of_the_front_dominates_a_better_code(
    run: Run, folder: Path, tmp_path: Path, codes: dict[str, Any]
) -> None:
    """A code without noise that keeps only Y dominates trials with higher rates."""
    path = tmp_path / "better.npz"
    one_hot = np.eye(10)[codes["labels"]]
    np.savez(path, probabilities=one_hot, labels=codes["labels"], predictions=one_hot)
    printed = run(folder, "measure", str(path), "--sweep", "linear").out
    assert "No trial dominates this encoder. It lies" in printed
    assert "bits below its hull." in printed
    assert "The relevance is that of the given predictions." in printed


def test_saturation_is_named(run: Run, tmp_path: Path, codes: dict[str, Any]) -> None:
    """A note says how large the lower bound can be with so few inputs."""
    path = tmp_path / "precise.npz"
    mean = np.random.default_rng(1).standard_normal((201, 10))
    np.savez(path, mean=mean, scale=0.01, labels=codes["labels"])
    printed = " ".join(run(tmp_path, "measure", str(path)).out.split())
    assert "saturated: it is at most log2 of the 201 inputs, 7.65 bits." in printed


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"labels": None}, "labels: should be given; found none"),
        ({"scale": 0.0}, "scale: standard deviations should be above 0; found 0"),
        ({"std": 1.0}, "its arrays should be among mean, scale, labels,"),
        ({"mean": np.array([None])}, "array `mean` should have numbers or text; found Python obj"),
        ({"labels": np.zeros(3)}, "labels: should be integers (N,) for classes"),
    ],
)
def test_wrong_arrays_are_refused(
    run: Run, tmp_path: Path, codes: dict[str, Any], change: dict[str, Any], text: str
) -> None:
    """The error is one line with the array, the rule and the value; the exit code is 2."""
    path = tmp_path / "wrong.npz"
    arrays = {name: value for name, value in {**codes, **change}.items() if value is not None}
    np.savez(path, **arrays)
    refused = run(tmp_path, "measure", str(path))
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert text in refused.err


def test_wrong_files_and_sweeps_are_refused(run: Run, folder: Path, file: Path) -> None:
    """A missing file, a file that is no .npz, other labels, and a figure without a sweep."""
    assert "No such file" in run(folder, "measure", str(file.parent / "no.npz")).err
    text = file.with_name("text.npz")
    text.write_text("mean")
    assert "should be a complete .npz file" in run(folder, "measure", str(text)).err
    half = file.with_name("half.npz")
    half.write_bytes(file.read_bytes()[:1000])
    assert "should be a complete .npz file" in run(folder, "measure", str(half)).err
    single = file.with_name("single.npy")
    np.save(single, np.zeros(3))
    assert "found one array" in run(folder, "measure", str(single)).err
    other = file.with_name("other.npz")
    np.savez(other, mean=np.zeros((20, 1)), scale=1.0, labels=np.arange(20) % 2)
    refused = run(folder, "measure", str(other), "--sweep", "linear")
    assert "found H(Y) = 1.0000 bits, and 3.3000 bits in `linear`" in refused.err
    assert "--sweep" in run(folder, "measure", str(file), "--figure", "a.png").err
    assert "--axis" in run(folder, "measure", str(file), "--axis", "log").err
    assert "no sweep" in run(folder, "measure", str(file), "--sweep", "nosuch").err


def test_a_measurement_loads_neither_ray_nor_mlflow(file: Path) -> None:
    """Without a sweep, the command imports no Ray and no MLflow."""
    code = (
        "import sys, paretoib.cli\n"
        "try: paretoib.cli.main(sys.argv[1:])\n"
        "except SystemExit: print({'ray', 'mlflow'} & set(sys.modules), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "measure", str(file), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["measurement"]["examples"] == 201
    assert done.stderr.strip() == "set()"
