"""Limits of a pack: memory and time."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from paretoib.errors import OutOfMemoryError
from paretoib.specs import TrialSpec
from paretoib.training._memory import translate_memory_errors
from paretoib.training._pack import Pack
from paretoib.training._run import run_trials

Trial = Callable[..., TrialSpec]
CPU = torch.device("cpu")

SCRIPT = """
import json, resource, sys
from pathlib import Path
import torch
from paretoib.errors import OutOfMemoryError
from paretoib.specs import TrialSpec
from paretoib.training import run_trials
torch.set_num_threads(1)
small, *large = [TrialSpec.from_document(document) for document in json.loads(sys.argv[1])]
assert run_trials([small], device="cpu")[0].status == "finished"
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**20 * int(sys.argv[2]),) * 2)
try:
    run_trials(large, device="cpu", checkpoints=Path(sys.argv[3]), every=0)
except OutOfMemoryError as error:
    print(error)
# Both halves fit into the memory that was freed.
for half in (large[:1], large[1:]):
    assert run_trials(half, device="cpu")[0].status == "finished"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux to limit the address space")
def test_an_out_of_memory_error_frees_the_memory(trial: Trial, tmp_path: Path) -> None:
    """If only one trial fits into memory, a pack of two fails; each trial can then train alone."""
    large = {"hidden": [2500, 2500], "epochs": 1, "batch_size": 600}
    specs = [trial(), trial(**large), trial(**large, seed=1)]
    documents = json.dumps([spec.document for spec in specs])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, documents, "260", str(tmp_path)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.stdout.startswith("a pack of 2 should fit into the memory of cpu; found: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("std::bad_alloc"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried …"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_every_memory_error_becomes_an_out_of_memory_error(error: Exception) -> None:
    """Memory errors of numpy, of torch on CPU and CUDA, and of cuBLAS become the same error."""

    def run() -> None:
        raise error

    with pytest.raises(
        OutOfMemoryError, match=r"^a pack of 3 should fit into the memory of cpu; found"
    ):
        translate_memory_errors(run, CPU, 3)


def test_other_errors_are_raised_unchanged() -> None:
    """A RuntimeError that is not about memory does not become an OutOfMemoryError."""

    def run() -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        translate_memory_errors(run, CPU, 3)


def slowed(monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[int]:
    """Delay every step by `seconds`; returns a list to which each step appends its epoch."""
    steps: list[int] = []
    step = Pack.step

    def slow(pack: Pack, batch: Any) -> Any:
        time.sleep(seconds)
        steps.append(pack.epoch)
        return step(pack, batch)

    monkeypatch.setattr(Pack, "step", slow)
    return steps


def test_a_trial_that_takes_too_long_has_failed(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial ends at the first step after the time limit; its record has reason and history."""
    run_trials([trial()], device="cpu")
    steps = slowed(monkeypatch, 0.2)
    options: dict[str, Any] = {"checkpoints": tmp_path, "every": 0, "limit_seconds": 2.5}
    # Nine steps per epoch.
    (record,) = run_trials([trial(epochs=50)], device="cpu", **options)
    assert (record.status, record.reason) == ("failed", "took longer than 2.5 s")
    assert (record.validation, record.test) == (None, None)
    assert 2.5 < record.seconds < 5
    assert 1 <= len(record.history["learning_rate"]) == steps[-1]
    assert len(steps) <= 13
    assert list(tmp_path.iterdir()) == []


def test_the_time_limit_is_per_trial(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack of four trials may take four times as long as a single trial."""
    specs = [trial(epochs=1, seed=seed) for seed in range(4)]
    run_trials(specs, device="cpu")
    slowed(monkeypatch, 0.1)
    records = run_trials(specs, device="cpu", limit_seconds=0.7)
    assert [record.status for record in records] == ["finished"] * 4
    assert sum(record.seconds for record in records) > 0.9
    assert run_trials(specs[:1], device="cpu", limit_seconds=0.7)[0].status == "failed"


def test_by_default_there_is_no_limit(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow trial finishes if `limit_seconds` is not given."""
    slowed(monkeypatch, 0.05)
    assert run_trials([trial(epochs=2)], device="cpu")[0].status == "finished"
