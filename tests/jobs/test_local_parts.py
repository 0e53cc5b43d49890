"""A user's own file and encoder reach the workers of a sweep."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jobs.local_parts import check_local_parts, load_encoder, pickled_encoder
from paretoib.errors import DataError, SpecError
from paretoib.specs import SweepSpec, with_own_parts

ROOT = Path(__file__).parents[2]
HELPER = """
from torch import nn
def block(outputs):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, outputs))
"""
ENCODERS = {
    "own_names": "from own_helper import block\n{}        return block(outputs)\n",
    "own_modules": "import own_helper\n{}        return own_helper.block(outputs)\n",
}
CLASS = "class Encoder:\n    def __new__(cls, outputs):\n"
# What a worker does with the bytes that it gets. It cannot import the user's modules.
WORKER = """
import json, pickle, sys
from jobs.local_parts import load_encoder
from paretoib.specs import TrialSpec
from paretoib.training import run_trials
load_encoder(pickle.load(open(sys.argv[1], "rb")))
assert not any(name.startswith("own_") for name in sys.modules)
spec = TrialSpec.from_json(open(sys.argv[2]).read())
print(run_trials([spec], device="cpu")[0].status)
"""


@pytest.mark.parametrize("name", ENCODERS)
def test_a_worker_gets_the_encoder_and_the_users_modules_by_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An encoder that uses another module of the user trains where neither can be imported."""
    (tmp_path / "own_helper.py").write_text(HELPER)
    (tmp_path / f"{name}.py").write_text(ENCODERS[name].format(CLASS))
    monkeypatch.syspath_prepend(str(tmp_path))
    encoder = __import__(name).Encoder
    document = with_own_parts(
        {"method": "vib", "model": {"latent": 2}, "training": {"epochs": 1}}, None, encoder
    )
    spec = SweepSpec.from_document(document)
    check_local_parts(spec)
    content, trial = tmp_path / "content", tmp_path / "trial.json"
    content.write_bytes(pickle.dumps(pickled_encoder(spec)))
    trial.write_text(spec.template.to_json())
    done = subprocess.run(
        [sys.executable, "-P", "-c", WORKER, str(content), str(trial)],
        env={"PYTHONPATH": str(ROOT)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "finished\n"), done.stderr


def test_a_sweep_without_an_encoder_sends_none() -> None:
    """Most sweeps have a model of the registry, and send nothing."""
    assert pickled_encoder(SweepSpec.from_document({"method": "vib"})) is None
    load_encoder(None)


def test_what_cannot_be_sent_is_refused() -> None:
    """An encoder that captures a generator cannot be pickled."""
    running = (i for i in range(3))

    def encoder() -> object:
        return running

    spec = SweepSpec.from_document(with_own_parts({}, None, encoder))
    with pytest.raises(SpecError, match=r"encoder: workers should get `.*encoder` by value; found"):
        pickled_encoder(spec)


def test_a_changed_file_and_an_unknown_encoder_are_found_before_ray_starts(tmp_path: Path) -> None:
    """The check raises what a resumed sweep would find."""
    path = tmp_path / "own.npz"
    np.savez(path, x=np.zeros((30, 2)), y=np.arange(30) % 2)
    spec = SweepSpec.from_document({"data": f"npz:{path}"})
    check_local_parts(spec)
    np.savez(path, x=np.ones((30, 2)), y=np.arange(30) % 2)
    # A data set that has been loaded is cached, so the resumed sweep has another split.
    other = {**spec.document, "data": {**spec.data.document, "split_seed": 1}}
    with pytest.raises(DataError, match="its arrays should be those with which the sweep began"):
        check_local_parts(SweepSpec.from_document(other))
    unknown = {"name": "module", "encoder": "Gone", "code": "f" * 16}
    with pytest.raises(SpecError, match="code of `Gone` is only in the program"):
        check_local_parts(SweepSpec.from_document({"model": unknown}))
