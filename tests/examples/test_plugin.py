"""The example plugin, installed with pip; each test uses it in a new process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
Python = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Python:
    """`python(code, *arguments)` runs code in a process with the plugin, unless `plugin=False`."""
    folder = tmp_path_factory.mktemp("plugin")
    source, installed = folder / "source", folder / "installed"
    # pip writes build files into the source folder, so it gets a copy.
    subprocess.run(["cp", "-r", ROOT / "examples" / "plugin", source], check=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    options = ["--no-deps", "--no-build-isolation", "--target", installed]
    subprocess.run([*pip, *options, source], check=True)

    def run(code: str, *arguments: str, plugin: bool = True) -> "subprocess.CompletedProcess[str]":
        path = os.pathsep.join(map(str, (installed, ROOT) if plugin else (ROOT,)))
        own = {"PYTHONPATH": path, "PARETOIB_STORE": str(folder / "store"), "PARETOIB_WORKERS": "1"}
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=folder,
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def command(python: Python, *arguments: str, plugin: bool = True) -> dict[str, Any]:
    """The document that `paretoib … --json` prints."""
    main = "from paretoib.cli import main; main()"
    finished = python(main, *arguments, "--json", plugin=plugin)
    assert finished.returncode == 0, finished.stderr
    document: dict[str, Any] = json.loads(finished.stdout)
    return document


def test_a_sweep_uses_objective_model_and_data_set_of_the_plugin(python: Python) -> None:
    """Flags select the plugin's entries by name, and Ray workers train with these entries."""
    small = ("--epochs", "3", "--set", "features=32", "--set", "latent=2", "--trials", "2")
    names = ("--method", "lp", "--dataset", "rings", "--model", "fourier")
    front = command(python, "sweep", *names, *small)
    assert front["failed"] == []
    assert len(front["points"]) == 2
    spec = front["sweep"]["spec"]
    assert (spec["objective"]["name"], spec["model"]["name"]) == ("lp", "fourier")
    assert spec["objective"]["power"] == 1.5
    assert front["exact"]["label"].startswith("exact")
    # Without the plugin the front can be read, but its exact curve is missing.
    assert command(python, "front", "lp-rings", plugin=False) == {**front, "exact": None}


def test_registries_list_the_plugin_without_torch(python: Python) -> None:
    """The registries have the plugin's entries, and torch is not imported."""
    code = """
import json, sys
from paretoib.data import DATASETS
from paretoib.models import MODELS
from paretoib.specs import METHODS
print(json.dumps([METHODS["lp"].summary, MODELS["fourier"].summary, DATASETS["rings"].model]))
sys.exit("torch" in sys.modules)
"""
    finished = python(code)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert json.loads(finished.stdout)[2] == "mlp"


def test_lp_is_l2_for_p_2_and_l1_for_p_1(python: Python) -> None:
    """For p = 1 the compression of `lp` is E Σ_i |Z_i|; for p = 2 it is the compression of `l2`.

    For p = 2 they agree only within 1 %, because `lp` samples the noise of Z and `l2` does not.
    The plugin is imported before paretoib, so its entries are created while registries load.
    """
    code = """
from paretoib_example._lp import LP
import torch
from paretoib.distributions import CategoricalPrediction, GaussianEncoding, Output
from paretoib.objectives import OBJECTIVES
torch.manual_seed(0)
mean, noise = torch.randn(2, 4000, 3).double()
encoding = GaussianEncoding(mean, torch.full_like(mean, 0.2))
prediction = CategoricalPrediction(torch.zeros(4000, 2).double())
output, y = Output(encoding, encoding.sample(noise), prediction), torch.zeros(4000).long()
l2 = OBJECTIVES["l2"].load()().losses(output, y, {})
two = LP().losses(output, y, {"power": torch.tensor(2.0)})
one = LP().losses(output, y, {"power": torch.tensor(1.0)})
assert torch.equal(two[0], l2[0])
torch.testing.assert_close(two[1], l2[1], rtol=0.01, atol=0)
torch.testing.assert_close(one[1], output.z.abs().sum(1).mean())
assert OBJECTIVES["lp"].load() is LP
"""
    finished = python(code)
    assert (finished.returncode, finished.stderr) == (0, "")
