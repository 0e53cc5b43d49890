"""An interrupted pack resumes from its checkpoint and returns identical records."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from paretoib.records import TrialRecord
from paretoib.specs import TrialSpec
from paretoib.training import _checkpoint
from paretoib.training._pack import Pack
from paretoib.training._run import run_trials

Trial = Callable[..., TrialSpec]

EPOCHS = 5
LEARNING_RATES = (1e-2, 3e-2, 1e-3)
KINDS: dict[str, dict[str, Any]] = {
    "one learning rate": {"method": "vib", "learning_rate": 1e-2},
    "mib, decaying": {"method": "mib", "schedule": "exponential", "clip_norm": 0.5},
    "plateau": {"method": "vib", "schedule": "plateau", "patience": 1, "decay": 0.5},
    "weight average": {"method": "vib", "weight_average": 0.9},
    "step": {"method": "mgda", "schedule": "step", "patience": 2},
    **{name: {"method": name} for name in ("famo", "dwa", "random")},
}


def specs_of(trial: Trial, kind: dict[str, Any], count: int) -> list[TrialSpec]:
    """Trials, some with equal seeds; learning rates differ unless the kind sets one."""
    fixed = {"epochs": EPOCHS, "initial_noise": 0.3, "subset": 0.3}
    varied = [
        {"seed": i // 2, "prior_width": 1.0 + i, "learning_rate": LEARNING_RATES[i]}
        for i in range(count)
    ]
    return [trial(**fixed | fields | kind) for fields in varied]


def timeless(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The records with their seconds set to 0."""
    return [record.model_copy(update={"seconds": 0.0}) for record in records]


class Interrupted(BaseException):
    """Simulates the loss of a worker, but without ending this process."""


def interrupt_in(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Interrupt training once, at the first step of this epoch."""
    step = Pack.step

    def interrupted(pack: Pack, batch: Any) -> Any:
        if pack.epoch == epoch - 1:
            monkeypatch.setattr(Pack, "step", step)
            raise Interrupted
        return step(pack, batch)

    monkeypatch.setattr(Pack, "step", interrupted)


def epochs_trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list to which each later epoch of training is appended."""
    epochs: list[int] = []
    train_epoch = Pack.train_epoch

    def recording(pack: Pack, *args: Any) -> Any:
        estimates = train_epoch(pack, *args)
        epochs.append(pack.epoch)
        return estimates

    monkeypatch.setattr(Pack, "train_epoch", recording)
    return epochs


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_interrupted_pack_has_the_records_of_an_uninterrupted_one(
    trial: Trial,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: dict[str, Any],
    count: int,
) -> None:
    """Two interrupts do not change a bit of the records, and no epoch is trained twice."""
    specs = specs_of(trial, kind, count)
    uninterrupted = run_trials(specs, device="cpu")
    epochs = epochs_trained(monkeypatch)
    for epoch in (3, 5):
        interrupt_in(monkeypatch, epoch)
        with pytest.raises(Interrupted):
            run_trials(specs, device="cpu", checkpoints=tmp_path, every=0)
    records = run_trials(specs, device="cpu", checkpoints=tmp_path, every=0)
    assert timeless(records) == timeless(uninterrupted)
    assert epochs == [1, 2, 3, 4, 5]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [1, 2])
def test_batch_norm_statistics_are_resumed(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_conv: str, count: int
) -> None:
    """The checkpoint includes the running statistics of batch norm."""
    specs = [trial(model=tiny_conv, seed=i, epochs=2) for i in range(count)]
    uninterrupted = run_trials(specs, device="cpu")
    interrupt_in(monkeypatch, 2)
    with pytest.raises(Interrupted):
        run_trials(specs, device="cpu", checkpoints=tmp_path, every=0)
    records = run_trials(specs, device="cpu", checkpoints=tmp_path, every=0)
    assert timeless(records) == timeless(uninterrupted)


SCRIPT = """
import json, sys
from pathlib import Path
import torch
from paretoib.specs import TrialSpec
from paretoib.training import run_trials
torch.set_num_threads(int(sys.argv[2]))
specs = [TrialSpec.from_document(document) for document in json.loads(sys.argv[1])]
run_trials(specs, device="cpu", checkpoints=Path(sys.argv[3]), every=0)
"""


def test_training_resumes_after_its_process_was_killed(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After SIGKILL, a resume returns the same records as training without an interruption.

    The checkpoint is complete at any moment, because it is replaced atomically.
    """
    specs = [trial("mib", seed=i, epochs=40, learning_rate=1e-2 / (i + 1)) for i in range(2)]
    uninterrupted = run_trials(specs, device="cpu")
    documents = json.dumps([spec.document for spec in specs])
    command = [sys.executable, "-c", SCRIPT, documents, str(torch.get_num_threads()), str(tmp_path)]
    worker = subprocess.Popen(command)
    try:
        while not list(tmp_path.glob("*.safetensors")):
            assert worker.poll() is None
            time.sleep(0.01)
        time.sleep(0.1)
        os.kill(worker.pid, signal.SIGKILL)
    finally:
        worker.wait()
    assert worker.returncode == -signal.SIGKILL
    epochs = epochs_trained(monkeypatch)
    records = run_trials(specs, device="cpu", checkpoints=tmp_path)
    assert 0 < len(epochs) < 40
    assert timeless(records) == timeless(uninterrupted)
    assert list(tmp_path.iterdir()) == []


def test_seconds_include_the_time_before_a_resume(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seconds in the checkpoint are added to the seconds after the resume."""
    specs = [trial(epochs=EPOCHS)]
    saved = saved_after(specs, tmp_path, monkeypatch, epoch=3)
    header, state = header_of(saved), load_file(saved)
    pack = json.loads(header["pack"])
    assert pack["seconds"] > 0
    save_file(state, saved, header | {"pack": json.dumps(pack | {"seconds": 1000.0})})
    (record,) = run_trials(specs, device="cpu", checkpoints=tmp_path)
    assert 1000 < record.seconds < 1060


def test_nothing_is_saved_before_the_interval_has_passed(trial: Trial, tmp_path: Path) -> None:
    """A pack that ends within `every` seconds writes no file."""
    run_trials([trial(epochs=EPOCHS)], device="cpu", checkpoints=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_packs_have_separate_files(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pack neither uses nor deletes the file of another pack, even if they share trials."""
    specs = [trial(epochs=EPOCHS, seed=i) for i in range(2)]
    saved = saved_after(specs, tmp_path, monkeypatch, epoch=3)
    run_trials(specs[:1], device="cpu", checkpoints=tmp_path, every=0)
    assert list(tmp_path.iterdir()) == [saved]


def saved_after(
    specs: Sequence[TrialSpec], folder: Path, monkeypatch: pytest.MonkeyPatch, epoch: int
) -> Path:
    """The checkpoint of a pack that was interrupted after this epoch."""
    interrupt_in(monkeypatch, epoch + 1)
    with pytest.raises(Interrupted):
        run_trials(specs, device="cpu", checkpoints=folder, every=0)
    (saved,) = folder.glob("*.safetensors")
    return saved


def header_of(saved: Path) -> dict[str, str]:
    """The metadata of a checkpoint."""
    with safe_open(saved, "pt") as file:
        return dict(file.metadata())


def change_header(saved: Path, header: dict[str, str], pack: dict[str, Any]) -> None:
    """Change fields in the header of a checkpoint."""
    original = header_of(saved)
    changed = json.dumps(json.loads(original["pack"]) | pack)
    save_file(load_file(saved), saved, original | {"pack": changed} | header)


def truncate(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-100])


def flip_a_bit(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-50] ^= 1
    saved.write_bytes(content)


def change_a_shape(saved: Path) -> None:
    """Change the shape of a tensor, with a correct checksum."""
    state = load_file(saved)
    name = "stack/head.decoder.0.weight"
    state[name] = state[name][..., :-1].contiguous()
    save_file(state, saved, header_of(saved) | {"crc32": _checkpoint._crc32(state)})


def delete_a_tensor(saved: Path) -> None:
    state = load_file(saved)
    del state["optimiser/second_moment/0"]
    save_file(state, saved, header_of(saved) | {"crc32": _checkpoint._crc32(state)})


def name_losses_as_before(saved: Path) -> None:
    """Rename tensors as when schedule `plateau` followed a validation loss."""
    state = load_file(saved)
    for name, former in (("lowest_loss", "best"), ("bad_epochs", "worse")):
        state[f"optimiser/{former}"] = state.pop(f"optimiser/{name}")
    save_file(state, saved, header_of(saved) | {"crc32": _checkpoint._crc32(state)})


def replace_by_a_pickle(saved: Path) -> None:
    """Replace the file by a pickle that runs code when it is loaded."""
    torch.save({"code": AbortOnLoad()}, saved)


class AbortOnLoad:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.abort, ())


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda saved: saved.write_bytes(b""),
    "truncated": truncate,
    "flipped bit": flip_a_bit,
    "wrong shape": change_a_shape,
    "missing tensor": delete_a_tensor,
    "losses of another kind": name_losses_as_before,
    "pickle": replace_by_a_pickle,
    "a folder": lambda saved: (saved.unlink(), saved.mkdir()),
    "other schema": lambda saved: change_header(saved, {"schema": "2"}, {}),
    "invalid JSON": lambda saved: change_header(saved, {"pack": "{"}, {}),
    "pack is a list": lambda saved: change_header(saved, {"pack": "[]"}, {}),
    "other trials": lambda saved: change_header(saved, {}, {"trials": ["0" * 16] * 2}),
    "epoch after the last one": lambda saved: change_header(saved, {}, {"epoch": EPOCHS + 1}),
    "wrong epoch": lambda saved: change_header(saved, {}, {"epoch": 2}),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_an_invalid_checkpoint_is_ignored_with_a_warning(
    trial: Trial,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], object],
) -> None:
    """With an invalid checkpoint, training restarts with a warning; code in the file never runs."""
    specs = [trial(epochs=EPOCHS, subset=0.3, seed=i) for i in range(2)]
    saved = saved_after(specs, tmp_path, monkeypatch, epoch=3)
    damage(saved)
    epochs = epochs_trained(monkeypatch)
    records = run_trials(specs, device="cpu", checkpoints=tmp_path)
    assert [record.status for record in records] == ["finished"] * 2
    assert epochs == [1, 2, 3, 4, 5]
    first = caplog.messages[0]
    assert first.startswith(f"checkpoint {saved} ignored, training restarts: ")
    assert "\n" not in first


def test_a_folder_that_cannot_be_written_does_not_stop_training(
    trial: Trial, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If checkpoints cannot be written, training still finishes, and the log has the reason."""
    (tmp_path / "file").write_bytes(b"")
    specs = [trial(epochs=2)]
    records = run_trials(specs, device="cpu", checkpoints=tmp_path / "file" / "in", every=0)
    assert timeless(records) == timeless(run_trials(specs, device="cpu"))
    assert "not written: [Errno 20]" in caplog.text
