"""What a resumed sweep learns from the folder of its checkpoints."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from paretoib.records import TrialRecord
from paretoib.training import saved_packs
from paretoib.training._checkpoint import Checkpoint, SavedPack


def save(folder: Path, trials: Sequence[str], ended: Sequence[str] = (), age: float = 0.0) -> Path:
    """The file of a pack of which some trials have ended, saved so many seconds ago."""
    spec: Mapping[str, object] = {}
    records = tuple(TrialRecord(trial=key, spec=spec, status="stopped") for key in ended)
    checkpoint = Checkpoint(folder, [*trials, *ended], 0.0)
    checkpoint.save(SavedPack(tuple(trials), 3, 1.0, records, {"weight": torch.ones(2)}))
    now = checkpoint.path.stat().st_mtime
    os.utime(checkpoint.path, (now - age, now - age))
    return checkpoint.path


def test_every_pack_is_known_by_its_trials(tmp_path: Path) -> None:
    """With those that have left it, as they too name its file; the latest pack first."""
    older = save(tmp_path, ["a", "b"], ["c"], age=60)
    newer = save(tmp_path, ["d"])
    packs = saved_packs(tmp_path)
    assert packs == [["d"], ["a", "b", "c"]]
    assert [Checkpoint(tmp_path, pack, 0.0).path for pack in packs] == [newer, older]


def test_what_cannot_be_read_is_no_pack(tmp_path: Path) -> None:
    """Nor is what an interrupted saving has left, or a folder that is not there."""
    save(tmp_path, ["a"])
    (tmp_path / "empty.safetensors").touch()
    (tmp_path / "b.1.tmp").write_bytes(b"half")
    (tmp_path / "folder.safetensors").mkdir()
    assert saved_packs(tmp_path) == [["a"]]
    assert saved_packs(tmp_path / "none") == []
