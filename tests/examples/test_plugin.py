"""The example package, installed beside paretoib as a user would, in processes of their own."""

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
    """`python(code, *arguments)`: an interpreter that has the example package, if not told else."""
    folder = tmp_path_factory.mktemp("plugin")
    source, installed = folder / "source", folder / "installed"
    # pip leaves what it builds beside what it builds from.
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
    """What `paretoib … --json` prints."""
    main = "from paretoib.cli import main; main()"
    ended = python(main, *arguments, "--json", plugin=plugin)
    assert ended.returncode == 0, ended.stderr
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


def test_a_sweep_takes_all_three(python: Python) -> None:
    """Its objective, model and data set by name; trials run in Ray's workers."""
    small = ("--epochs", "3", "--set", "features=32", "--set", "latent=2", "--trials", "2")
    names = ("--method", "lp", "--dataset", "rings", "--model", "fourier")
    front = command(python, "sweep", *names, *small)
    assert front["failed"] == []
    assert len(front["points"]) == 2
    spec = front["sweep"]["spec"]
    assert (spec["objective"]["name"], spec["model"]["name"]) == ("lp", "fourier")
    assert spec["objective"]["power"] == 1.5
    assert front["exact"]["label"].startswith("exact")
    # Where the package is not installed, what was measured can be read all the same.
    assert command(python, "front", "lp-rings", plugin=False) == {**front, "exact": None}


def test_they_are_listed_with_their_fields(python: Python) -> None:
    """As paretoib's own are, without torch."""
    code = """
import json, sys
from paretoib.data import DATASETS
from paretoib.models import MODELS
from paretoib.specs import METHODS
print(json.dumps([METHODS["lp"].summary, MODELS["fourier"].summary, DATASETS["rings"].model]))
sys.exit("torch" in sys.modules)
"""
    ended = python(code)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)[2] == "mlp"


def test_with_p_2_the_objective_is_l2(python: Python) -> None:
    """But for the sample of the noise, of which `l2` takes the mean; and |z| adds up with p = 1.

    The package comes first, so its rows are made while paretoib's registries are loading.
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
    ended = python(code)
    assert (ended.returncode, ended.stderr) == (0, "")
