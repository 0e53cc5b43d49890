"""A spec is validated at most twice between the flags of `paretoib sweep` and the first trial."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paretoib.specs import SweepSpec

from . import validation_counter
from .validation_counter import CountingValidator

Run = Callable[..., Any]
MAX_VALIDATIONS = 2


@pytest.fixture
def validator(monkeypatch: pytest.MonkeyPatch) -> CountingValidator:
    """A counter of the validations of `SweepSpec` in this process."""
    counter = CountingValidator()
    monkeypatch.setattr(SweepSpec, "__pydantic_validator__", counter)
    return counter


def test_all_validations_are_counted(validator: CountingValidator) -> None:
    """The counter sees specs from a document, from pydantic's own function and from keywords."""
    SweepSpec.from_document({"method": "vib"})
    SweepSpec.model_validate({"method": "vib"})
    SweepSpec(**{"method": "vib"})
    assert validator.calls == 3


@pytest.mark.parametrize("saved", [False, True], ids=["flags", "flags and config"])
@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--method", "vib"],
        ["--seeds", "0,1"],
        ["--set", "latent=3", "--epochs", "2", "--set", "resources.cpus=1"],
        ["--method", "vib", "--grid", "latent=2,8", "--set", "beta=0.1"],
        ["--search", "random", "--space", "mu=0.1:1"],
        ["--method", "vib", "--dataset", "gaussian", "--model", "mlp", "--trials", "4"],
    ],
)
def test_flags_are_validated_at_most_twice(
    run: Run, tmp_path: Path, validator: CountingValidator, flags: list[str], saved: bool
) -> None:
    """A spec from flags, with or without a config, is validated at most twice."""
    if saved:
        config = tmp_path / "sweep.yaml"
        config.write_text(SweepSpec.from_document({}).to_yaml(), encoding="utf-8")
        flags = [*flags, "--config", str(config)]
    validator.calls = 0
    assert run(tmp_path, "sweep", "--dry-run", *flags).code == 0
    assert 1 <= validator.calls <= MAX_VALIDATIONS


def test_a_sweep_that_runs_is_validated_at_most_twice(tmp_path: Path) -> None:
    """A sweep from flags and a sweep from a document, both run to the end, are within the limit."""
    finished = subprocess.run(
        [sys.executable, validation_counter.__file__],
        env={**os.environ, "PARETOIB_STORE": str(tmp_path), "PARETOIB_WORKERS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    counts = json.loads(finished.stderr.splitlines()[-1])
    assert len(counts) == 2
    assert all(1 <= count <= MAX_VALIDATIONS for count in counts)
